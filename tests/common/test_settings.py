"""Settings come from the command line, then a TOML file, then their defaults."""

import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from nextword.common.errors import BadInput
from nextword.common.settings import check_ranges, from_toml, option


@dataclass(frozen=True)
class Settings:
    source: str = option("python-docs", "what to read")
    pages: int = option(10, "how many")
    ratio: float = option(0.5, "a share")
    limit: float | None = option(None, "seconds")
    packages: tuple[str, ...] = option((), "names")
    strict: bool = option(False, "whether")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return path


def test_a_table_gives_values_of_the_right_types(tmp_path: Path) -> None:
    text = '[x]\nsource = "a"\npages = 3\nratio = 1\nlimit = 2\npackages = ["numpy"]\nstrict = true'
    values = from_toml(Settings, write(tmp_path, text), "x")
    assert Settings(**values) == Settings("a", 3, 1.0, 2.0, ("numpy",), True)


def test_a_file_without_the_table_changes_nothing(tmp_path: Path) -> None:
    assert from_toml(Settings, write(tmp_path, "[other]\na = 1"), "x") == {}


def test_a_table_in_a_table_gives_values_and_its_neighbour_none(tmp_path: Path) -> None:
    path = write(tmp_path, "[x.one]\npages = 3\n[x.other]\nport = 8000\n[y]\npages = 4")
    assert from_toml(Settings, path, "x.one") == {"pages": 3}
    assert from_toml(Settings, path, "x.none") == from_toml(Settings, path, "z.one") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[x]\npages = 3", r"\[x\] has no setting `pages`; put its settings under \[x.one\]"),
        ("x = 3", r"x is not a table; put its settings under \[x.one\]"),
        ("[x]\none = 3", r"\[x\] has no setting `one`; put its settings under \[x.one\]"),
        ("[x.one]\npage = 3", r"\[x.one\] has no setting `page`.*choose from .*pages"),
    ],
)
def test_what_does_not_fit_in_a_table_of_tables_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        from_toml(Settings, write(tmp_path, text), "x.one")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[x]\npage = 3", "no setting `page`.*choose from .*pages"),
        ('[x]\npages = "three"', "'three' is not a whole number"),
        ("[x]\npages = true", "True is not a whole number"),
        ('[x]\nlimit = "long"', "'long' is not a number"),
        ("[x]\npackages = [1]", "1 is not a text"),
        ('[x]\npackages = "numpy"', "'numpy' is not a list of texts"),
        ("[x]\nstrict = 1", "1 is not true or false"),
        (f"[x]\nratio = 1{'0' * 400}", "is not a number"),
        ("x = 3", r"x is not a table; put its settings under \[x\]"),
        ("[x", "not readable TOML"),
        (f"x = {'[' * 5000}", "not readable TOML"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        from_toml(Settings, write(tmp_path, text), "x")


@dataclass(frozen=True)
class Bounded:
    tries: int = option(3, "attempts", least=1)
    share: float = option(0.5, "a share", above=0, most=1)
    name: str = option("", "no range")

    def __post_init__(self) -> None:
        check_ranges(self)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"tries": 0}, "tries is 0; give at least 1"),
        ({"tries": -(10**400)}, "tries is -1000"),
        ({"share": 0.0}, r"share is 0\.0; give more than 0 and at most 1"),
        ({"share": 1.5}, r"share is 1\.5"),
        ({"share": math.nan}, "share is nan"),
        ({"share": math.inf}, "share is inf"),
    ],
)
def test_a_value_outside_its_range_is_named_with_the_range(values: dict[str, float], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Bounded(**values)


@dataclass(frozen=True)
class Shared:
    seed: int = option(0, "of what is drawn")
    minutes: float = option(1.0, "how long")

    def __post_init__(self) -> None:
        check_ranges(self)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"seed": -(10**23)}, "seed is -1000.*; give at least 0 and at most 9,223,372,036,854,775,807"),
        ({"seed": 2**63}, "seed is 9223372036854775808; give"),
        ({"minutes": 1e300}, r"minutes is 1e\+300; give at most 527,040"),
    ],
)
def test_seeds_fit_64_bits_and_minutes_a_year_in_every_stage(values: dict[str, float], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Shared(**values)
    assert Shared(seed=2**63 - 1).seed == 2**63 - 1


@pytest.mark.parametrize("text", [None, "[x"])
def test_a_config_file_that_cannot_be_read_names_a_remedy(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "none.toml" if text is None else write(tmp_path, text)
    with pytest.raises(BadInput) as said:
        from_toml(Settings, path, "x")
    assert "[x]" in (said.value.do or "")


def test_the_ends_that_belong_to_a_range_are_allowed() -> None:
    assert Bounded(tries=1, share=1.0) == Bounded(1, 1.0)


def test_a_mutable_default_is_refused() -> None:
    with pytest.raises(TypeError, match="use a tuple"):
        option([], "names")


def test_common_and_the_command_line_load_no_torch() -> None:
    script = "import sys, nextword.cli.main, nextword.common.language_model; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
