"""A stage's settings: one frozen dataclass whose fields carry their own help, and the range they may have.

    @dataclass(frozen=True)
    class CollectSettings:
        source: str = option("python-docs", "what to read: python-docs, a folder, an address or a file")
        tries: int = option(3, "attempts at a page that fails", least=1)

        def __post_init__(self) -> None:
            check_ranges(self)

The command line, the TOML file (`--config`) and docs/settings.md are all made from these fields.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from nextword.common.errors import BadInput

S = TypeVar("S")

MOST_TOKENS = 1_000_000
"""Of a vocabulary; the largest in use hold a quarter of that."""

EVERYWHERE: dict[str, dict[str, float]] = {
    "seed": {"least": 0, "most": 2**63 - 1},  # what torch takes
    "minutes": {"most": 366 * 24 * 60},
}
"""The range of a setting that means the same in every stage; a field may narrow it."""


def option(
    default: Any,
    help: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    bare: int | None = None,
) -> Any:
    """A settings field with its default, one line of help, and the range that `check_ranges` holds it to.

    bare: what the option means on a command line where it stands without a value.
    """
    if isinstance(default, (list, dict)):
        raise TypeError("settings are frozen: use a tuple")
    bounds = {"least": least, "above": above, "most": most, "bare": bare}
    return dataclasses.field(
        default=default, metadata={"help": help, **{k: v for k, v in bounds.items() if v is not None}}
    )


def check_ranges(settings: Any) -> None:
    """BadInput for the first field outside its range. NaN and infinity are outside every range."""
    for field in dataclasses.fields(settings):
        bounds = {**EVERYWHERE.get(field.name, {}), **field.metadata}
        least, above, most = (bounds.get(name) for name in ("least", "above", "most"))
        if not (least is None and above is None and most is None):
            check_range(field.name, getattr(settings, field.name), least, above, most)


def check_seed(seed: int) -> None:
    """The same for a seed that is no setting."""
    check_range("seed", seed, **EVERYWHERE["seed"])


def check_range(
    name: str, value: float, least: float | None = None, above: float | None = None, most: float | None = None
) -> None:
    """BadInput, with the range, for a value outside it."""
    fits = (
        -math.inf < value < math.inf
        and (least is None or value >= least)
        and (above is None or value > above)
        and (most is None or value <= most)
    )
    if not fits:
        raise BadInput(f"{name} is {value}", do=f"give {_range(least, above, most)}")


def _range(least: float | None, above: float | None, most: float | None) -> str:
    """The range in words.

    >>> _range(1, None, None), _range(None, 0, 1)
    ('at least 1', 'more than 0 and at most 1')
    """
    ends = (("at least", least), ("more than", above), ("at most", most))
    return " and ".join(f"{words} {end:,}" for words, end in ends if end is not None)


def from_toml(settings: type[S], path: Path, section: str) -> dict[str, Any]:
    """The values a TOML file gives for one stage; BadInput for a name or a type that does not fit.

    section: its table, or a table in one, as "label.init".
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        do = f"give --config a TOML file with a table [{section}], or leave it out"
        raise BadInput("no such file", where=path, do=do) from error
    except (OSError, ValueError, RecursionError) as error:
        do = f"write its settings as lines like `name = 3` under [{section}]; see docs/settings.md"
        raise BadInput(f"not readable TOML ({error})", where=path, do=do) from error
    found = _table(tables, section, path)
    types = get_type_hints(settings)
    values: dict[str, Any] = {}
    for name, value in found.items():
        if name not in types:
            known = ", ".join(sorted(types))
            raise BadInput(f"[{section}] has no setting `{name}`", where=path, do=f"choose from {known}")
        values[name] = _as_type(value, types[name], f"{path} [{section}] {name}")
    return values


def _table(tables: dict[str, Any], section: str, path: Path) -> dict[str, Any]:
    """The stage's own table; what stands loose in a table of tables would be of no stage, and is refused."""
    do, outer, found = f"put its settings under [{section}]", "", tables
    for name in section.split("."):
        if outer and (loose := [key for key, item in found.items() if not isinstance(item, dict)]):
            raise BadInput(f"[{outer}] has no setting `{loose[0]}`", where=path, do=do)
        outer = f"{outer}.{name}" if outer else name
        found = found.get(name, {})
        if not isinstance(found, dict):
            raise BadInput(f"{outer} is not a table", where=path, do=do)
    return found


def _as_type(value: Any, wanted: Any, where: str) -> Any:
    """The TOML value as the field's type: paths are texts there, tuples lists, and 3 may stand for 3.0."""
    for kind in _kinds(wanted):
        if get_origin(kind) is tuple and isinstance(value, list):
            return tuple(_as_type(item, get_args(kind)[0], where) for item in value)
        if kind is Path and isinstance(value, str):
            return Path(value)
        if kind is float and type(value) is int and abs(value) < 1 << 63:
            return float(value)
        if type(value) is kind:
            return value
    raise BadInput(f"{value!r:.80} is not {in_words(wanted)}", where=where)


WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", Path: "a path"}


def in_words(wanted: Any) -> str:
    """A type as a person names it.

    >>> in_words(int | None), in_words(tuple[str, ...])
    ('a whole number', 'a list of texts')
    """
    said = []
    for kind in _kinds(wanted):
        is_list = get_origin(kind) is tuple
        words = WORDS[get_args(kind)[0] if is_list else kind]
        said.append(f"a list of {words.removeprefix('a ')}s" if is_list else words)
    return " or ".join(said)


def _kinds(wanted: Any) -> list[Any]:
    """The types a field may have; None, which only the default can be, left out."""
    is_union = get_origin(wanted) in (Union, UnionType)
    return [kind for kind in get_args(wanted) if kind is not NoneType] if is_union else [wanted]
