"""A make remembers what it has done, and does not mix two makes in one folder."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from nextword.common.errors import BadInput, Corrupt
from nextword.recipes.journal import Journal


@dataclass(frozen=True)
class Result:
    path: Path
    sizes: tuple[int, ...]


def test_a_stage_is_done_once_and_its_result_kept_as_json(tmp_path: Path) -> None:
    calls = []

    def work() -> Result:
        calls.append(1)
        return Result(tmp_path / "a", (1, 2))

    Journal(tmp_path, {"minutes": 8}).stage("clean", work)
    again = Journal(tmp_path, {"minutes": 8})
    again.stage("clean", work)
    assert calls == [1]
    assert again.result("clean") == {"path": str(tmp_path / "a"), "sizes": [1, 2]}


def test_a_stage_that_fails_is_tried_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, {})
    with pytest.raises(ZeroDivisionError):
        journal.stage("clean", lambda: 1 / 0)
    assert Journal(tmp_path, {}).stage("clean", lambda: 3) == 3


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    Journal(tmp_path, {"minutes": 8, "seed": 0}).stage("clean", lambda: 1)
    with pytest.raises(BadInput, match="begun with another minutes"):
        Journal(tmp_path, {"minutes": 20, "seed": 0})


def test_a_damaged_journal_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "make.json").write_text('{"stages": ')
    with pytest.raises(Corrupt, match=r"make\.json: not readable .*; restore it, or choose another --out"):
        Journal(tmp_path, {})


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "null",
        "{}",
        '{"settings": {}, "stages": {}}',
        '{"settings": [], "stages": {}}',
        '{"settings": {"minutes": 8}}',
        '{"settings": {"minutes": 8}, "stages": ["clean"]}',
        '{"settings": {"minutes": 8}, "stages": {"clean": 3}}',
        '{"settings": {"minutes": 8}, "stages": {"clean": {"seconds": "3", "result": 1}}}',
        '{"settings": {"minutes": 8}, "stages": {"clean": {"seconds": 3}}}',
    ],
)
def test_json_that_is_no_journal_of_ours_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "make.json").write_text(text)
    with pytest.raises(Corrupt, match=r"make\.json: is not the journal of a make; restore it"):
        Journal(tmp_path, {"minutes": 8, "seed": 0})


def test_the_time_of_all_stages_adds_up(tmp_path: Path) -> None:
    journal = Journal(tmp_path, {})
    journal.stages = {"a": {"seconds": 1.5}, "b": {"seconds": 2}}
    assert journal.seconds == 3.5
