"""`nextword evaluate`: models side by side, a page and its JSON."""

from __future__ import annotations

import json

import pytest

from nextword.cli.main import run
from nextword.common.records import Document
from nextword.data.questions import write_questions
from nextword.tools.search import Index
from tests.evaluate.conftest import SIGNATURES, question


@pytest.fixture
def questions(tmp_path):
    every = [
        question(name, type, lang)
        for name in SIGNATURES
        for type in ("signature", "description")
        for lang in ("en", "ko")
    ]
    write_questions(tmp_path / "questions.jsonl", every)
    return tmp_path / "questions.jsonl"


def test_two_models_are_examined_and_a_card_is_written(tmp_path, questions, capsys):
    report = tmp_path / "card.html"
    argv = ["evaluate", "no=fake:I can't help with that.", "lamp=fake:I am a lamp.", "--shots", "1"]
    assert run([*argv, "--questions", str(questions), "--report", str(report)]) == 0
    shown = capsys.readouterr().out
    assert "documentation, page shown" in shown and "refuses what it should" in shown
    record = json.loads(report.with_suffix(".json").read_text())
    assert record["stages"] == ["no", "lamp"]
    refused = next(line for line in record["lines"] if line["key"] == "refused")["cells"]
    assert (refused["no"]["mean"], refused["lamp"]["mean"]) == (1.0, 0.0)
    answers = report.with_suffix(".answers.jsonl").read_text().splitlines()
    said = " ".join(shown.split())
    assert f"{len(answers)} answers, of which 0 questions could not be asked" in said


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["evaluate", "fake:x", "--tasks", "gsm9k"], "no task is called 'gsm9k'"),
        (["evaluate", "fake:x", "--tasks", "gsm8k", "--data", "/nowhere"], "put the task's data there"),
        (["evaluate", "/no/such/run"], "/no/such/run"),
        (["evaluate", "fake:x", "fake:y"], "two models are called fake"),
        (["evaluate", "fake:x", "--most", "-1"], "most is -1; give at least 0"),
        (["evaluate", "fake:x", "--questions", "/no.jsonl"], "/no.jsonl: no such file"),
        (["evaluate", "fake:x", "--pages", "/no.db"], "/no.db: no search index here; build one"),
        (["evaluate", "fake:x", "--report", "/dev/null/card.html"], "/dev/null/card.html: cannot be written"),
        (["evaluate", "fake:x", "--report", "/"], "/: is a folder; choose another file"),
        (
            ["evaluate", "fake:x", "--flag-most", "-1"],
            "--flag-most': Input should be greater than or equal to 0",
        ),
        (["evaluate", "fake:x", "--flag-wrong"], "and there are none; give --questions"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_card(argv, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(argv) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert not list(tmp_path.iterdir())


def test_a_model_that_cannot_quote_is_refused_before_anybody_sits(tmp_path, capsys):
    Index.build([Document.of("oven", "http://a/")], tmp_path / "search.db").close()
    assert run(["evaluate", "fake:x", "--pages", str(tmp_path / "search.db")]) == 2
    assert "quoting needs a model on this machine" in capsys.readouterr().err


def test_tokens_that_are_none_are_refused_before_anybody_sits(finetuned_run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("nextword.evaluate.examination.sit", lambda *_: pytest.fail("sat"))
    argv = ["evaluate", str(finetuned_run), "--tokens", str(tmp_path / "none")]
    assert run([*argv, "--report", str(tmp_path / "card.html")]) == 2
    assert "none/tokens.json: no such file" in capsys.readouterr().err


def test_the_last_line_says_whether_finetuning_has_helped(finetuned_run, tmp_path, questions, capsys):
    page = Document.of(
        "oven\n\nbake(dough, minutes=30)\n    Do what bake says.\n", "http://docs.test/oven.html"
    )
    Index.build([page], tmp_path / "search.db").close()
    argv = [
        "evaluate",
        str(finetuned_run),
        "--questions",
        str(questions),
        "--pages",
        str(tmp_path / "search.db"),
    ]
    assert run([*argv, "--most", "4", "--shots", "0", "--report", str(tmp_path / "card.html")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("finetuning ")
