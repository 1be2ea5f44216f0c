"""A builder's case: a folder of one's own, and out of it an assistant that is held against search alone."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nextword.cli.main import run as nextword
from nextword.common.dialogue import read_conversations
from nextword.data.questions import read_questions
from nextword.evaluate.helped import RETRIEVAL, WITH_PAGES
from tests.docs.conftest import Pages
from tests.recipes.builder_world import KOREAN, ROOMS, builder_folder, fee, hours, rent

RUN = Path("runs/mine")
HELPED = re.compile(r"^finetuning (helped|did not help|is not shown to have helped).*$", re.MULTILINE)
SMALL = {
    "tokenise": "--vocab-size 800",
    "pretrain": "--steps 2 --depth 1 --batch 2 --context 1024 --compile off --precision fp32",
    "propose": "--excerpt 300",
    "label init": "--password-stdin",
    "finetune": "--steps 3 --batch 2 --sample-tokens 4 --precision fp32",
    "evaluate": "--most 12 --shots 1 --samples 2",
}
"""As little training as there can be: what is said of it is true all the same."""


def steps(pages: Pages) -> dict[str, list[str]]:
    """What the builder's page tells to type, stage by stage, with a rule in place of people."""
    found = {}
    for line in pages.commands(pages.root / "docs" / "14-your-folder.md"):
        words = shlex.split(line.replace("label serve", "label approve"))[1:]
        verb = " ".join(words[:2]) if words[0] == "label" else words[0]
        if verb != "make" and "runs/handbook" not in words:
            found[verb] = [*words, *SMALL.get(verb, "").split()]
    return found


@pytest.fixture(scope="module")
def typed(tmp_path_factory) -> dict[str, str]:
    """Every step's output; the folder under "where"."""
    folder = tmp_path_factory.mktemp("builder")
    builder_folder(folder / "handbook")
    said = {"where": str(folder)}
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        for verb, words in steps(Pages()).items():
            patch.delenv("NEXTWORD_LABELS", raising=False)
            patch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
            with contextlib.redirect_stdout(io.StringIO()) as out:
                assert nextword(words) == 0, words
            said[verb] = out.getvalue()
    return said


def test_every_kind_of_file_is_asked_about(typed):
    rows = list(read_conversations(Path(typed["where"]) / RUN / "proposals.jsonl"))
    answers = {row.messages[2].content.split('"')[1] for row in rows}
    wanted = [one.partition(".")[0] + "." for one in (rent(1, 0), fee(2, 3), hours(2, 5))]
    assert len(rows) == 2 * (len(ROOMS) + 2 * len(KOREAN)) and set(wanted) <= answers


def test_what_is_learnt_was_approved_and_says_by_whom(typed):
    assert re.search(r"^rule:verbatim: 36 drafts approved$", typed["label approve"], re.MULTILINE)
    rows = list(read_conversations(Path(typed["where"]) / RUN / "seed" / "train.jsonl"))
    asked = [row for row in rows if row.meta["form"] not in ("copying", "reading")]
    assert {row.meta["approved_by"] for row in asked} == {"rule:verbatim"}
    held = list(read_questions(Path(typed["where"]) / RUN / "seed" / "questions.heldout.jsonl"))
    assert len(held) == 12 and {one.lang for one in held} == {"en", "ko"}


def test_retrieval_alone_stands_beside_the_model_and_the_verdict_is_said(typed):
    card = json.loads((Path(typed["where"]) / RUN / "card.json").read_text(encoding="utf-8"))
    assert card["stages"] == ["base", "finetuned", RETRIEVAL, WITH_PAGES]
    right = next(line["cells"] for line in card["lines"] if line["key"] == "right")
    assert right[RETRIEVAL]["mean"] > 0.5 > right[WITH_PAGES]["mean"]
    assert HELPED.search(typed["evaluate"])[1] == "did not help"
    page = (Path(typed["where"]) / RUN / "card.html").read_text(encoding="utf-8")
    assert "finetuning did not help" in page and "미세 조정이 도움이 되지 않았습니다" in page


def test_the_assistant_answers_and_is_released_as_two_files(typed):
    assert typed["ask"].strip()
    assert (Path(typed["where"]) / RUN / "release" / "mine.gguf").stat().st_size > 10_000


def make(folder: Path, source: str, *options: str) -> tuple[str, Path]:
    """What one command says, and the run that it made."""
    words = ["make", "--source", source, "--assistant", "--out", "run", "--depth", "1", *options]
    done = subprocess.run(
        [sys.executable, "-m", "nextword", *words], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout, folder / "run"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_one_command_makes_an_assistant_of_a_folder_of_office_files(tmp_path):
    builder_folder(tmp_path / "house")
    said, run = make(tmp_path, "house", "--minutes", "0.5", "--vocab-size", "800")
    asked = len(json.loads((run / "spot_check.json").read_text(encoding="utf-8")))
    assert asked >= 8 and f"{asked} held-out questions, answered by every stage" in said
    assert HELPED.search(said.replace("  ", ""))
    stages = json.loads((run / "make.json").read_text(encoding="utf-8"))["stages"]
    assert list(stages)[:3] == ["collect", "clean", "seed"]  # nothing to ask is found before training
    assert stages["seed"]["result"]["by"] == {"rule:verbatim": stages["seed"]["result"]["approved"]}
    assert (run / "release" / "house.gguf").exists() and (run / "card.html").exists()
    assert "bits per byte" in (run / "card.html").read_text(encoding="utf-8").lower()


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_one_command_makes_an_assistant_of_korean_technical_pages(need, tmp_path):
    said, run = make(tmp_path, str(need("../shared/data/docs_ko")), "--minutes", "3", "--vocab-size", "2048")
    found = json.loads((run / "make.json").read_text(encoding="utf-8"))["stages"]["check"]["result"]
    assert found["helped"]["en"] in said
    assert found["helped"]["alone"]["count"] >= 40 and found["helped"]["alone"]["mean"] > 0.1
    asked = json.loads((run / "spot_check.json").read_text(encoding="utf-8"))
    assert len(asked) == 10 and all({RETRIEVAL, WITH_PAGES} <= one["answers"].keys() for one in asked)
