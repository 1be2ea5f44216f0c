"""Two processes never work in one folder; a process that dies leaves it free."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nextword.common.errors import BadInput
from nextword.common.folder_lock import LOCK, working_in

HOLD = """
import sys
from pathlib import Path
from nextword.common.folder_lock import working_in
with working_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that works in the folder, until the block ends."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        yield other
        other.communicate()


@pytest.mark.parametrize(("theirs", "ours"), [("run", "run"), ("run", "run/base"), ("run/base", "run")])
def test_a_folder_another_process_works_in_is_refused_by_its_number(
    tmp_path: Path, theirs: str, ours: str
) -> None:
    with held_by_another(tmp_path / theirs) as other:
        says = rf"another nextword \(process {other.pid}\) is working in {tmp_path / theirs}; wait"
        with pytest.raises(BadInput, match=says), working_in(tmp_path / ours):
            pass
    with working_in(tmp_path / ours):
        pass


def test_stages_of_one_run_may_go_on_side_by_side(tmp_path: Path) -> None:
    with held_by_another(tmp_path / "run" / "reward"), working_in(tmp_path / "run" / "aligned"):
        pass


def test_a_killed_process_leaves_its_folder_free(tmp_path: Path) -> None:
    with held_by_another(tmp_path) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert (tmp_path / LOCK).exists()
        with working_in(tmp_path):
            pass


def test_one_process_may_have_a_run_and_its_stages(tmp_path: Path) -> None:
    with working_in(tmp_path), working_in(tmp_path / "base"), working_in(tmp_path):
        assert (tmp_path / LOCK).read_text() == str(os.getpid())
        with held_by_another(tmp_path / "elsewhere" / "deep"):
            pass


def test_a_folder_in_which_nothing_was_made_is_gone_again(tmp_path: Path) -> None:
    with pytest.raises(KeyError), working_in(tmp_path / "a" / "b"):
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_of_processes_that_train_together_only_the_first_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    with held_by_another(tmp_path / "never"), working_in(tmp_path):
        assert not (tmp_path / LOCK).exists()


def test_where_no_lock_can_be_made_the_work_itself_speaks(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ZeroDivisionError), working_in(tmp_path / "file" / "run"):
        _ = 1 / 0
