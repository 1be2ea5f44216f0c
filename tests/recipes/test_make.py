"""The whole journey, small: a folder of pages becomes two files, also when it is killed on the way."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from nextword.common.errors import BadInput
from nextword.recipes.make import MakeSettings, Run

DOCS = Path(__file__).parents[2] / "docs"
COMMAND = [
    sys.executable,
    "-m",
    "nextword",
    "make",
    "--minutes",
    "0.1",
    "--depth",
    "1",
    "--vocab-size",
    "600",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished make over our own docs, killed once in the middle of training."""
    folder = tmp_path_factory.mktemp("make")
    shutil.copytree(DOCS, folder / "pages")
    command = [*COMMAND, "--source", "pages", "--out", "run"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        command, cwd=folder, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 200
    while not (folder / "run" / "base" / "checkpoints").exists():
        assert child.poll() is None, "make ended before it trained"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    (folder / "run" / "said.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return folder / "run"


def test_a_killed_make_continues_and_tells_its_story(run: Path) -> None:
    said = (run / "said.txt").read_text(encoding="utf-8")
    assert "continuing in run" in said
    for part in ("Your two files", "The next word after", "Bits per byte", "dreamed on", "What to type next"):
        assert part in said


def test_both_files_and_all_reports_are_there(run: Path) -> None:
    for name in (
        "release/pages.gguf",
        "release/run.c",
        "release/README.md",
        "report.html",
        "clean/report.html",
    ):
        assert (run / name).stat().st_size > 500, name
    assert "<script" not in (run / "report.html").read_text(encoding="utf-8")


def test_the_journal_has_every_stage_and_the_model_beats_chance(run: Path) -> None:
    journal = json.loads((run / "make.json").read_text(encoding="utf-8"))["stages"]
    assert list(journal) == ["collect", "clean", "tokenizer", "baselines", "pretrain", "release", "looks"]
    assert journal["pretrain"]["result"]["bits_per_byte"] < journal["baselines"]["result"]["uniform"]


def test_the_released_program_runs(run: Path) -> None:
    program = run / "release" / "run"
    said = subprocess.run(
        [program, run / "release" / "pages.gguf", "-p", "The", "-n", "8"],
        capture_output=True,
        text=True,
        errors="replace",  # so small a model may end within a character
        timeout=60,
    )
    assert said.returncode == 0
    assert said.stdout.startswith("The")


@pytest.mark.parametrize("own_text", [True, False])
def test_our_own_text_is_left_out_when_asked_and_warned_of_when_it_is_more(
    tmp_path: Path, own_text: bool
) -> None:
    (tmp_path / "note.txt").write_text(
        (DOCS / "03-tokenizer.md").read_text(encoding="utf-8").replace("tokenizer", "sorter")
    )
    said = io.StringIO()
    settings = MakeSettings(source=str(tmp_path / "note.txt"), out=str(tmp_path / "run"), own_text=own_text)
    stages = dict(Run(settings, Console(file=said, width=200)).stages())
    stages["collect"]()
    assert bool(stages["clean"]().own_documents) == own_text
    assert ("--no-own-text leaves it out" in said.getvalue()) == own_text


def test_names_come_from_the_source() -> None:
    assert MakeSettings().name == "python-docs"
    assert MakeSettings(source="https://docs.example.org/a/").name == "docs.example.org-a"
    assert MakeSettings(source="/tmp/내 문서").name == "내-문서"


def test_no_time_is_bad_input() -> None:
    with pytest.raises(BadInput, match="minutes is 0"):
        MakeSettings(minutes=0)
