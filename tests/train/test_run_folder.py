"""A run begins in a folder of its own, and only the same run continues there."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from nextword.common.errors import BadInput
from nextword.common.files import write_json
from nextword.train.run_folder import LEARNT, begin, finished, hash_of


@dataclass(frozen=True)
class Settings:
    seed: int = 0


@dataclass(frozen=True)
class Ended:
    model: Path
    loss: float


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


def test_data_that_changed_under_its_name_is_noticed(tmp_path: Path) -> None:
    begin(Settings(), tmp_path, data=["a.jsonl"], **{LEARNT: hash_of([("a", 1), "b\ud800"])})
    begin(Settings(), tmp_path, data=["a.jsonl"], **{LEARNT: hash_of([("a", 1), "b\ud800"])})
    with pytest.raises(BadInput, match="its data has changed since it was begun; restore it"):
        begin(Settings(), tmp_path, data=["a.jsonl"], **{LEARNT: hash_of(["b\ud800", ("a", 1)])})


def test_data_may_be_named_from_elsewhere_but_not_otherwise(tmp_path: Path) -> None:
    begin(Settings(), tmp_path, data=["runs/a.jsonl"])
    begin(Settings(), tmp_path, data=["/home/kim/runs/a.jsonl"])
    with pytest.raises(BadInput, match=r"was begun with data .*a\.jsonl.*, now it is .*b\.jsonl"):
        begin(Settings(), tmp_path, data=["/home/kim/runs/b.jsonl"])


def test_a_run_that_was_begun_before_its_data_was_hashed_goes_on(tmp_path: Path) -> None:
    begin(Settings(), tmp_path, data=["a.jsonl"])
    begin(Settings(), tmp_path, data=["a.jsonl"], **{LEARNT: hash_of("b")})


def test_a_finished_run_gives_its_result_to_the_same_settings_only(tmp_path: Path) -> None:
    begin(Settings(), tmp_path)
    assert finished(Ended, Settings(), tmp_path) is None
    write_json(tmp_path / "result.json", {"model": "model", "loss": 1.5})
    assert finished(Ended, Settings(), tmp_path) == Ended(tmp_path / "model", 1.5)
    assert finished(Ended, Settings(seed=1), tmp_path, ["seed"]) is not None
    with pytest.raises(BadInput, match="was begun with seed 0, now it is 1"):
        finished(Ended, Settings(seed=1), tmp_path)
