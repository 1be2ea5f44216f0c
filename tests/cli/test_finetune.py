"""`nextword finetune`: what is left out is counted, and what cannot be learnt from is one line."""

from __future__ import annotations

import json

import pytest

from nextword.cli.finetune import run as verb
from nextword.cli.main import run
from nextword.cli.options import spelled_out
from nextword.common.files import read_json

QUICK = ["--steps", "2", "--batch", "2", "--device", "cpu", "--sample-tokens", "2"]
GOOD = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}


@pytest.fixture
def base(finetuned_run):
    """A model folder whose template can be learnt with; its context is 96 tokens."""
    return finetuned_run / "finetuned" / "model"


@pytest.fixture
def data(tmp_path):
    """Writes conversations, each a list of (role, content), and gives the file."""

    def write(*talks):
        lines = [{"messages": [{"role": role, "content": said} for role, said in talk]} for talk in talks]
        path = tmp_path / "talks.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in [GOOD, *lines]))
        return path

    return write


EMPTY = [("user", "q"), ("assistant", " \n")]
ALL_MASKED = [("user", "q"), ("user", "q again")]
LONG = [("user", "q " * 200), ("assistant", "a")]


def test_what_cannot_be_learnt_is_left_out_and_counted(base, data, capsys):
    assert run(["finetune", str(base), "--data", str(data(EMPTY, ALL_MASKED, LONG, LONG)), *QUICK]) == 0
    said = capsys.readouterr().out
    assert "finetuned/model: 1 conversations" in said
    assert "left out: 1 with an empty answer" in said
    assert "left out: 1 nothing to learn in this conversation: no message of the assistant" in said
    assert "left out: 2 longer than the context of 96 tokens" in said
    assert sum(read_json(base / "finetuned" / "result.json")["left_out"].values()) == 4


@pytest.mark.parametrize(
    ("talk", "says"),
    [
        (EMPTY, "no conversation to learn from (left out: 1 with an empty answer)"),
        (ALL_MASKED, "1 nothing to learn in this conversation: no message of the assistant"),
        (LONG, "1 longer than the context of 96 tokens"),
        ([("boss", "q")], "record 1: unknown role 'boss'"),
    ],
)
def test_where_nothing_is_left_it_is_one_line(base, data, talk, says, capsys):
    path = data(talk)
    path.write_text(path.read_text().partition("\n")[2])
    assert run(["finetune", str(base), "--data", str(path), *QUICK]) == 2
    is_one_line(capsys, says)


def test_a_template_without_a_stop_token_is_one_line(base, data, tmp_path, capsys):
    template = tmp_path / "plain.jinja"
    template.write_text("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}")
    assert run(["finetune", str(base), "--data", str(data()), *QUICK, "--template", str(template)]) == 2
    is_one_line(capsys, "the chat template ends an answer without a stop token")
    assert not (base / "finetuned" / "run.json").exists()


def is_one_line(capsys, says):
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("nextword:")]
    assert len(lines) == 1 and says in lines[0], lines


@pytest.mark.parametrize(
    ("given", "means"),
    [
        (["--lora"], ["--lora", "16"]),
        (["--lora", "--steps", "2"], ["--lora", "16", "--steps", "2"]),
        (["--lora", "8", "--steps", "2"], ["--lora", "8", "--steps", "2"]),
        (["--lora", "-1"], ["--lora", "-1"]),
        (["--lora=8"], ["--lora=8"]),
        (["--lora", "run"], ["--lora", "16", "run"]),
    ],
)
def test_lora_may_stand_alone(given, means):
    assert spelled_out(verb, given) == means


def test_an_adapter_is_trained_by_its_bare_name(base, data):
    assert run(["finetune", str(base), "--data", str(data()), *QUICK, "--lora"]) == 0
    assert read_json(base / "finetuned" / "run.json")["settings"]["lora"] == 16
