"""The scripted fake keeps the port's promises."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nextword.common.errors import BadInput, Failure
from nextword.common.language_model import LanguageModel, Request, Sampling, Token
from nextword.common.records import Conversation, Message
from nextword.engine.fake import FakeModel, pieces
from nextword.evaluate.next_word import next_words


def test_it_is_a_language_model():
    assert isinstance(FakeModel(), LanguageModel)


def test_one_text_is_said_to_everyone(heard):
    result = heard(FakeModel("Hello there.").generate([Request("a", id="a"), Request("b", id="b")]))
    assert result.text == {"a": "Hello there.", "b": "Hello there."}
    assert [event.request for event in result.events] == ["a", "b", "a", "b", "a", "b"]


def test_answers_are_looked_up_by_prompt_and_may_be_errors(heard):
    model = FakeModel({"2+2?": "4", "2+3?": Failure("no idea")})
    asked = [Request("2+2?", id="a"), Request("2+3?", id="b"), Request("2+4?", id="c")]
    result = heard(model.generate(asked))
    assert result.text == {"a": "4"}
    assert isinstance(result.end["b"].error, Failure)
    assert isinstance(result.end["c"].error, BadInput)


def test_a_function_may_answer_and_a_conversation_is_its_last_message(heard):
    model = FakeModel(lambda request: f"seed {request.seed}")
    assert heard(model.generate([Request("x", seed=7, id="r")])).text == {"r": "seed 7"}
    echo = FakeModel()
    talk = Conversation([Message("system", "be brief"), Message("user", "hello you")])
    assert heard(echo.generate([Request(talk, id="r")])).text == {"r": "hello you"}


@given(some.text(), some.integers(0, 5), some.lists(some.text(min_size=1, max_size=3), max_size=2))
def test_stops_and_lengths_hold(text, most, stops):
    request = Request("x", Sampling(max_new_tokens=most), stop=tuple(stops), id="r")
    tokens = list(FakeModel(text).generate([request]))
    said = "".join(event.text for event in tokens if isinstance(event, Token))
    assert not any(stop in said for stop in stops)
    assert tokens[-1].reason in ("stop", "length")
    assert tokens[-1].usage.completion_tokens <= most


def test_a_long_answer_is_cut_at_the_limit(heard):
    result = heard(FakeModel("one two three").generate([Request("x", Sampling(max_new_tokens=2), id="r")]))
    assert (result.text["r"], result.end["r"].reason) == ("one two", "length")


def test_cancelling_ends_before_the_next_word(heard):
    model, seen = FakeModel("one two three"), []
    for event in model.generate([Request("x", id="r")]):
        seen.append(event)
        model.cancel("r")
    result = heard(seen)
    assert (result.text["r"], result.end["r"].reason) == ("one", "cancelled")


def test_scores_are_high_for_what_the_script_says():
    model = FakeModel("one two")
    assert model.score("x", "one two") == [math.log(0.9)] * 2
    assert model.score("x", "one three") == [math.log(0.9), math.log(0.1)]


def test_next_words_work_on_a_fake():
    assert next_words(FakeModel("one two"), "x", 1) == [("one", pytest.approx(0.9))]


def test_requests_are_kept_for_a_test_to_look_at():
    model, request = FakeModel("a"), Request("x")
    list(model.generate([request]))
    assert model.said == [request]


@given(some.text())
def test_pieces_join_to_the_text(text):
    assert "".join(pieces(text)) == text
