"""Multiple choice by log-likelihood."""

from __future__ import annotations

import math

import pytest

from nextword.common.errors import BadInput
from nextword.engine import wrap
from nextword.engine.fake import FakeModel
from nextword.evaluate.choice import Choice, Choices, chosen, chosen_all
from nextword.evaluate.exam import failures, mean
from nextword.tokenizer.tokenizer import Tokenizer


class Scored(FakeModel):
    """Gives each option the log-probabilities it is told; raises where the prompt is longer than `room`."""

    def __init__(self, scores, room=10_000):
        super().__init__()
        self.scores, self.room, self.prompts = scores, room, []

    def score(self, prompt, continuation):
        self.prompts.append(prompt)
        if len(prompt) > self.room:
            raise BadInput("does not fit the context")
        return self.scores[continuation]


QUESTION = Choice("q1", "Question: 2 + 2?\nAnswer:", (" four", " a very long wrong answer"), 0)


def test_the_sum_prefers_the_likeliest_and_bytes_the_likeliest_a_byte():
    model = Scored({" four": [-4.0], " a very long wrong answer": [-3.0, -3.0]})
    found = chosen(model, "x", QUESTION.options)
    assert found.sums == (-4.0, -6.0)
    assert (found.by_sum, found.by_bytes) == (0, 1)  # 4 nats over 4 bytes, 6 over 24


def test_bytes_are_counted_in_utf8_without_the_leading_space():
    model = Scored({" 참": [-3.0], " yes": [-3.1]})
    found = chosen(model, "x", (" 참", " yes"))
    assert found.by_bytes == 0  # three bytes each, so the sums decide
    model = Scored({" 참": [-3.0], " yesyes": [-5.0]})
    assert chosen(model, "x", (" 참", " yesyes")).by_bytes == 1


def test_the_first_of_equals_is_chosen():
    model = Scored({" a": [-1.0], " b": [-1.0]})
    assert chosen(model, "x", (" a", " b")).by_sum == 0


def test_an_option_without_text_is_refused():
    with pytest.raises(BadInput, match="an option has no text"):
        chosen(Scored({}), "x", (" a", " "))


def test_the_choice_is_the_one_of_the_full_distribution(tiny_model, tiny_tokenizer_folder):
    model = wrap(tiny_model, Tokenizer.load(tiny_tokenizer_folder))
    options = (" True", " False", " None")
    found = chosen(model, "Is it so?", options)
    by_hand = [sum(model.score("Is it so?", option)) for option in options]
    assert found.sums == pytest.approx(by_hand)
    assert found.by_sum == max(range(3), key=lambda at: by_hand[at])


def test_examples_of_the_type_stand_before_the_question_after_its_preface():
    worked = [
        Choice("w1", "1 + 1?\nAnswer:", (" 2", " 3"), 0, type="sums"),
        Choice("w2", "Where?\nAnswer:", (" here", " there"), 1, type="places"),
        Choice("w3", "1 + 2?\nAnswer:", (" 2", " 3"), 1, type="sums"),
    ]
    asked = Choice("q", "2 + 2?\nAnswer:", (" 3", " 4"), 1, type="sums", preface="About sums.")
    task = Choices("sums", [asked], worked, shots=5)
    assert task.prompts(asked) == [
        "About sums.\n\n1 + 1?\nAnswer: 2\n\n1 + 2?\nAnswer: 3\n\n2 + 2?\nAnswer:",
        "About sums.\n\n1 + 2?\nAnswer: 3\n\n2 + 2?\nAnswer:",
        "About sums.\n\n2 + 2?\nAnswer:",
    ]
    assert len(Choices("sums", [asked], worked, shots=0).prompts(asked)) == 1


def test_examples_that_do_not_fit_are_left_out():
    worked = [Choice("w", "x" * 100, (" 2",), 0)]
    model = Scored({" four": [-1.0], " a very long wrong answer": [-9.0]}, room=50)
    result = chosen_all(model, Choices("sums", [QUESTION], worked))[0]
    assert result.reward == 1.0
    assert model.prompts[-1] == QUESTION.prompt


def test_a_question_that_never_fits_is_failed_and_told():
    results = chosen_all(Scored({}, room=3), Choices("sums", [QUESTION]))
    assert failures(results) == {"does not fit the context": 1}
    assert mean(results).mean == 0.0


def test_both_readings_and_the_right_option_are_reported():
    model = Scored({" four": [-4.0], " a very long wrong answer": [-3.0, -3.0]})
    result = chosen_all(model, Choices("sums", [QUESTION]))[0]
    assert (result.reward, result.details) == (1.0, {"by_bytes": 0.0})
    assert (result.reply.text, result.of("gold")) == ("four", "four")


def test_chance_is_what_a_model_without_preference_gets():
    options = (" a", " b", " c", " d")
    choices = [Choice(str(n), "q", options, n % 4) for n in range(40)]
    even = {option: [math.log(0.25)] for option in options}
    results = chosen_all(Scored(even), Choices("even", choices))
    assert mean(results).mean == 0.25
