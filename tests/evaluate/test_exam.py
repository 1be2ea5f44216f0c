"""Exams: replies in order, marks, and failures that are told."""

from __future__ import annotations

import pytest

from nextword.common.errors import BadInput, Failure
from nextword.common.language_model import Sampling
from nextword.common.records import Conversation, Message, write_records
from nextword.engine.fake import FakeModel
from nextword.evaluate.exam import (
    Marked,
    Reply,
    answers,
    by,
    by_lookup,
    examinee,
    failures,
    marked,
    mean,
    read_answers,
    sat,
    write_answers,
)
from nextword.evaluate.task import Questions


def talk(text):
    return Conversation([Message("user", text)], meta={"id": text})


def test_replies_come_in_the_order_of_the_questions_however_many(monkeypatch):
    monkeypatch.setattr("nextword.evaluate.exam.AT_ONCE", 3)
    asked = [talk(f"number {number}") for number in range(8)]
    replies = answers(FakeModel(), asked)
    assert [reply.text for reply in replies] == [f"number {number}" for number in range(8)]


def test_a_reply_says_how_it_ended_and_how_long_it_is():
    model = FakeModel("one two three")
    assert answers(model, [talk("x")]) == [Reply("one two three", "stop", 3)]
    assert answers(model, [talk("x")], Sampling(max_new_tokens=2)) == [Reply("one two", "length", 2)]


def test_a_question_that_cannot_be_put_is_failed_with_its_reason():
    model = FakeModel({"a": "yes", "b": Failure("the server is away")})
    first, second = answers(model, [talk("a"), talk("b")])
    assert first.end == "stop"
    assert second == Reply("", "failed", error="the server is away")


def test_a_model_that_stops_without_a_word_has_failed():
    class Silent(FakeModel):
        def generate(self, requests):
            return iter(())

    assert answers(Silent(), [talk("a")])[0].end == "failed"


def test_greedy_is_the_default():
    model = FakeModel("x")
    answers(model, [talk("a")])
    assert model.said[0].sampling.temperature == 0


def test_a_failed_question_is_wrong_even_where_silence_would_be_right():
    class Quiet:
        name, conversations = "quiet", [talk("a"), talk("b")]

        def reward(self, conversation):
            return float(conversation.messages[-1].content == "")

    results = marked(Quiet(), [Reply(""), Reply("", "failed", error="too long")])
    assert [one.reward for one in results] == [1.0, 0.0]
    assert failures(results) == {"too long": 1}


def test_failures_are_counted_by_their_reason_most_frequent_first():
    ends = ["too long", "away", "too long", ""]
    results = [
        Marked(talk(str(at)), Reply("", "failed" if error else "stop", error=error), 0.0)
        for at, error in enumerate(ends)
    ]
    assert list(failures(results).items()) == [("too long", 2), ("away", 1)]


def test_an_exam_is_marked_by_its_task_with_details(questions):
    task = Questions("docs", questions)
    results = sat(task, examinee(FakeModel('"bake(dough, minutes=30)"')))
    assert sum(one.reward for one in results) == 2  # the signature in both languages
    assert results[0].details["f1"] == 1.0


def test_means_are_split_by_what_the_questions_say(questions):
    task = Questions("docs", questions)
    results = sat(task, examinee(FakeModel('"bake(dough, minutes=30)"')))
    assert by(results, "type")["signature"].mean == 2 / 8
    assert by(results, "type")["description"].mean == 0
    assert list(by(results, "lang")) == ["en", "ko"]
    assert mean(results).mean == 2 / 16
    assert mean(results, "f1").mean > mean(results).mean


def test_means_draw_questions_of_one_function_together(questions):
    results = sat(Questions("docs", questions), examinee(FakeModel("x")))
    assert {one.group for one in results} == {"oven.bake", "oven.cool", "oven.slice", "oven.store"}


def test_looking_up_sees_only_the_last_question_and_may_fail():
    def ask(text):
        if text == "b":
            raise BadInput("no index")
        return Reply(text.upper(), url="http://docs.test/")

    replies = by_lookup(ask)([talk("a"), talk("b")], None)
    assert replies == [Reply("A", url="http://docs.test/"), Reply("", "failed", error="no index")]


def test_progress_counts_every_question_failed_or_not():
    class Counted:
        count = 0

        def advance(self):
            self.count += 1

    seen = Counted()
    answers(FakeModel({"a": "yes"}), [talk("a"), talk("b")], progress=seen)
    by_lookup(lambda text: Reply(text))([talk("a")], seen)
    assert seen.count == 3


def test_answers_are_written_and_read_back_whole(tmp_path, questions):
    results = sat(Questions("docs", questions), examinee(FakeModel("아무 말")))
    assert write_answers(tmp_path / "answers.jsonl", results) == 16
    assert list(read_answers(tmp_path / "answers.jsonl")) == results


@pytest.mark.parametrize("record", [{}, {"reply": {}, "details": {}}, {"reply": {"text": "a"}, "details": 1}])
def test_a_record_that_is_no_answer_is_named(tmp_path, record):
    write_records(tmp_path / "answers.jsonl", [record])
    with pytest.raises(BadInput, match="record 1 is no marked answer"):
        list(read_answers(tmp_path / "answers.jsonl"))
