"""Where answers are seen they can be flagged: in a chat, beside a question asked, after an evaluation."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime

import pytest

from nextword.cli.main import run
from nextword.common.errors import BadInput
from nextword.data.questions import write_questions
from nextword.label.office import Office
from nextword.label.refusals import NoSuch
from nextword.recipes.round_flags import FlagBox
from tests.evaluate.conftest import SIGNATURES, question
from tests.recipes.offices import now, office_at


@pytest.fixture
def labels(tmp_path):
    """A database with an owner and the project `default`."""
    office_at(tmp_path / "labels.db").close()
    return tmp_path / "labels.db"


def raised(labels):
    with FlagBox.open(str(labels), "default", now) as box:
        return box.office.flags.raised(box.actor, box.project)


def chat(monkeypatch, labels, *lines: str) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    return run(["chat", "fake:It is 4.", "--labels", str(labels)])


def test_a_person_flags_the_last_answer_of_a_chat(labels, monkeypatch, capsys):
    assert chat(monkeypatch, labels, "What is pi?", "/flag it is 3.14", "And e?", "/flag") == 0
    assert "flagged: task 1" in capsys.readouterr().out
    second, first = raised(labels)
    assert (first.why, first.origin, first.model) == ("it is 3.14", "chat", "fake:It is 4.")
    assert (first.task.title, first.is_mended) == ("What is pi?", False)
    assert (second.why, second.task.title) == ("wrong", "And e?")


def test_a_flag_is_no_question(labels, monkeypatch, capsys):
    chat(monkeypatch, labels, "What is pi?", "/flag no", "/flagpole?")
    assert capsys.readouterr().out.count("It is 4.") == 2


def test_a_flag_that_cannot_be_kept_is_said_and_the_chat_goes_on(tmp_path, monkeypatch, capsys):
    assert chat(monkeypatch, tmp_path / "none.db", "/flag", "Hello?", "/flag", "Hello?") == 0
    said = capsys.readouterr().out
    assert "not flagged:" in said and "nextword label init" in said
    assert said.count("It is 4.") == 2


def test_a_chat_that_has_said_nothing_yet_has_nothing_to_flag(labels, monkeypatch, capsys):
    chat(monkeypatch, labels, "/flag")
    assert "not flagged: there is no answer to flag" in capsys.readouterr().out
    assert raised(labels) == []


def evaluate(tmp_path, labels, *more: str) -> int:
    write_questions(
        tmp_path / "questions.jsonl",
        [question(name, lang=lang) for name in SIGNATURES for lang in ("en", "ko")],
    )
    argv = ["evaluate", "lamp=fake:I am a lamp.", "--questions", str(tmp_path / "questions.jsonl")]
    return run([*argv, "--shots", "0", "--report", str(tmp_path / "c.html"), "--labels", str(labels), *more])


def test_an_evaluation_flags_wrong_answers_with_what_would_have_been_right(tmp_path, labels, capsys):
    assert evaluate(tmp_path, labels, "--flag-wrong") == 0
    flags = raised(labels)
    assert len(flags) == len(SIGNATURES) * 2  # from memory; the same ones with their page are not asked twice
    assert {flag.origin for flag in flags} == {"evaluation"}
    assert "the page says 'bake(dough, minutes=30)' (http://docs.test/oven.html)" in {f.why for f in flags}
    assert {flag.task.lang for flag in flags} == {"en", "ko"}
    evaluate(tmp_path, labels, "--flag-wrong")
    assert len(raised(labels)) == len(flags)


def test_an_evaluation_flags_so_many_and_only_where_it_is_told_to(tmp_path, labels):
    evaluate(tmp_path, labels)
    assert raised(labels) == []
    evaluate(tmp_path, labels, "--flag-wrong", "--flag-most", "3")
    assert len(raised(labels)) == 3


def test_an_evaluation_that_cannot_flag_does_not_begin(tmp_path, capsys):
    assert evaluate(tmp_path, tmp_path / "none.db", "--flag-wrong") == 2
    assert "no such database" in capsys.readouterr().err
    assert not (tmp_path / "c.html").exists()


def test_a_database_without_people_or_project_is_refused(tmp_path):
    Office.open(tmp_path / "empty.db", lambda: datetime.now(UTC)).close()
    with pytest.raises(BadInput, match="nobody is here yet"):
        FlagBox.open(str(tmp_path / "empty.db"), "default", now)
    office_at(tmp_path / "labels.db").close()
    with pytest.raises(NoSuch, match="no project"):
        FlagBox.open(str(tmp_path / "labels.db"), "other", now)
