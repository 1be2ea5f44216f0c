"""`finetune`, `reward` and `align` stopped by Ctrl-C, then killed, then let end: as if nothing had been."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from nextword.cli.main import run
from nextword.common.dialogue import write_conversations
from nextword.common.records import Conversation, Message
from nextword.data.questions import write_questions
from nextword.train.metrics import Metrics
from tests.evaluate.conftest import SIGNATURES, question

pytestmark = pytest.mark.slow

ALIKE = ["--device", "cpu", "--precision", "fp32", "--warmup", "1"]
STAGES = {
    "finetune": "--steps 150 --batch 2 --data TALKS --heldout TALKS",
    "finetune lora": "--steps 150 --batch 2 --data TALKS --lora 2",
    "reward": "--steps 150 --batch 4 --data COMPARISONS",
    "align dpo": "--steps 120 --batch 4 --data COMPARISONS --answer-tokens 4",
    "align orpo": "--method orpo --steps 120 --batch 4 --data COMPARISONS",
    "align grpo": "--method grpo --task QUESTIONS --closed-book --steps 60 --samples 2 --answer-tokens 4",
}


@pytest.fixture(autouse=True)
def ctrl_c_reaches_programs():
    """A shell that runs the tests in its background lets all it starts ignore Ctrl-C; a terminal does not."""
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)  # a handler is not handed on, ignoring is
    yield
    signal.signal(signal.SIGINT, kept)


@pytest.fixture
def places(finetuned_run, comparisons, tmp_path):
    """The files that the stages name."""
    talks = [Conversation([Message("user", f"{n}?"), Message("assistant", f"yes {n}")]) for n in range(12)]
    write_conversations(tmp_path / "talks.jsonl", talks)
    write_questions(tmp_path / "questions.jsonl", [question(name, "signature", "en") for name in SIGNATURES])
    return {
        "COMPARISONS": str(comparisons),
        "TALKS": str(tmp_path / "talks.jsonl"),
        "QUESTIONS": str(tmp_path / "questions.jsonl"),
    }


def lines(out: Path) -> list[dict]:
    return list(Metrics(out / "metrics.jsonl").lines("step"))


def interrupt(argv: list[str], out: Path, how: signal.Signals) -> subprocess.CompletedProcess:
    """Type a command, and stop it when it is ten steps further than it was."""
    until = len(lines(out)) + 10
    command = [sys.executable, "-m", "nextword", *argv]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment) as process:
        while process.poll() is None and len(lines(out)) < until:
            time.sleep(0.005)
        process.send_signal(how)
        said, told = process.communicate(timeout=300)
    return subprocess.CompletedProcess(command, process.returncode, said, told)


@pytest.mark.parametrize("stage", STAGES)
def test_the_same_command_ends_as_if_nothing_had_happened(stage, finetuned_run, places, capsys):
    verb = stage.split()[0]
    words = [places.get(word, word) for word in STAGES[stage].split()]
    base = finetuned_run / "finetuned" / "model" if verb == "finetune" else finetuned_run
    argv = [verb, str(base), *words, *ALIKE, "--out", str(finetuned_run / "out")]
    out = finetuned_run / "out"

    stopped = interrupt(argv, out, signal.SIGINT)
    assert stopped.returncode == 130, stopped.stderr
    assert "nextword: stopped; the same command continues" in stopped.stderr
    assert "Traceback" not in stopped.stderr and not (out / "result.json").exists()
    killed = interrupt(argv, out, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL and not (out / "result.json").exists()

    assert run(argv) == 0
    cut, weights = curve(out), load_file(out / "model" / "model.safetensors")
    shutil.rmtree(out)
    assert run(argv) == 0
    assert curve(out) == cut
    whole = load_file(out / "model" / "model.safetensors")
    assert whole.keys() == weights.keys() and all(whole[name].equal(weights[name]) for name in whole)


def curve(out: Path) -> list[tuple[int, float, float]]:
    return [(one["step"], one["loss"], one["gradient_norm"]) for one in lines(out)]
