"""A run begins in a folder of its own, and only the same run continues there."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from nextword.common.errors import BadInput
from nextword.train.run_folder import begin


@dataclass(frozen=True)
class Settings:
    seed: int = 0


@pytest.mark.parametrize("name", ["model", "adapter", "checkpoints"])
def test_a_run_does_not_begin_over_a_model_that_is_not_its_own(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    begin(Settings(), tmp_path)
    (tmp_path / "run.json").unlink()
    (tmp_path / name / "config.json").write_text("somebody's")
    with pytest.raises(BadInput, match=f"holds {name}/, which this run would replace"):
        begin(Settings(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_run_that_began_here_goes_on_beside_its_model(tmp_path: Path) -> None:
    begin(Settings(), tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("its own")
    begin(Settings(), tmp_path)
