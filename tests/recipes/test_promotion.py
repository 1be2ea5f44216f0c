"""Which assistant is in use, and the switch to another."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from nextword.common.errors import BadInput, Failure
from nextword.engine.opening import model_folder
from nextword.recipes.promotion import alone, assistant_of, name_of, promote, switch


@pytest.fixture
def run(tmp_path):
    """A run with a base, a finetuned assistant and two of rounds; models of which only the name is there."""
    for stage in ("base", "finetuned", "rounds/001/finetuned", "rounds/002/finetuned"):
        folder = tmp_path / "run" / stage / "model"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    return tmp_path / "run"


def test_the_latest_stage_is_in_use_until_something_is_promoted(run):
    assert name_of(run, assistant_of(run)) == "finetuned"
    promote(run, run / "rounds/001/finetuned", run / "finetuned")
    assert name_of(run, assistant_of(run)) == "rounds/001/finetuned"
    assert model_folder(run, assistant=True) == run / "current" / "model"
    assert (run / "finetuned" / "model").is_dir()


def test_a_promotion_follows_the_run_when_it_is_moved(run):
    promote(run, run / "rounds/001/finetuned", run / "finetuned")
    moved = run.rename(run.with_name("elsewhere"))
    assert name_of(moved, assistant_of(moved)) == "rounds/001/finetuned"


def test_promoting_twice_does_nothing(run):
    for _ in range(2):
        promote(run, run / "rounds/001/finetuned", run / "finetuned")
    assert name_of(run, assistant_of(run)) == "rounds/001/finetuned"


def test_what_was_compared_with_another_assistant_is_not_promoted(run):
    switch(run, run / "rounds/001/finetuned")
    with pytest.raises(Failure, match=r"the assistant is rounds/001/finetuned by now, not finetuned"):
        promote(run, run / "rounds/002/finetuned", run / "finetuned")
    assert name_of(run, assistant_of(run)) == "rounds/001/finetuned"


def test_readers_find_one_assistant_or_the_other_while_it_is_switched(run):
    switch(run, run / "finetuned")
    found, ended = set(), threading.Event()

    def read():
        while not ended.is_set():
            found.add(name_of(run, assistant_of(run)))

    reader = threading.Thread(target=read)
    reader.start()
    for at in range(200):
        switch(run, run / f"rounds/00{1 + at % 2}/finetuned")
    ended.set()
    reader.join()
    assert found <= {"finetuned", "rounds/001/finetuned", "rounds/002/finetuned"}
    assert not list(run.glob(".current*"))


def test_a_run_without_an_assistant_is_refused(run, tmp_path):
    with pytest.raises(BadInput, match="no such run"):
        assistant_of(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no assistant in this run yet"):
        assistant_of(tmp_path / "empty")


def test_a_link_to_nothing_is_told_and_not_passed_over(run):
    switch(run, run / "rounds/003/finetuned")
    with pytest.raises(BadInput, match="points to no assistant"):
        assistant_of(run)


def test_a_folder_of_that_name_is_left_alone(run):
    (run / "current").mkdir()
    with pytest.raises(BadInput, match="is no link of ours"):
        switch(run, run / "rounds/001/finetuned")
    assert (run / "current").is_dir()


HOLD = """
import sys
from pathlib import Path
from nextword.recipes.promotion import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_rounds_at_once_are_refused_and_death_lets_go(run):
    command = [sys.executable, "-c", HOLD, str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BadInput, match="another round is under way"), alone(run):
            pass
        other.kill()
        other.wait()
    with alone(run):
        pass
