"""Whether finetuning helped: one line, true to the figures on the card."""

from __future__ import annotations

import pytest

from nextword.evaluate.exam import Reply
from nextword.evaluate.examination import EvaluateSettings, examine
from nextword.evaluate.helped import RETRIEVAL, WITH_PAGES, helped, told
from nextword.evaluate.stages import Stage
from nextword.evaluate.task import Questions
from tests.evaluate.conftest import question


def asked(count: int) -> Questions:
    from dataclasses import replace

    one = question()
    return Questions(
        "docs", [replace(one, id=f"q{n}:en", text=f"{n}?", function_id=f"f{n}") for n in range(count)]
    )


def card(count: int, alone: int, model: int, names: tuple[str, str] = (RETRIEVAL, WITH_PAGES)):
    """Two stages that have so many of the questions right."""

    def stage(name: str, right: int) -> Stage:
        def answer(text: str) -> Reply:
            return Reply(question().answer if int(text.rstrip("?")) < right else "no")

        return Stage(name, lookup=lambda: answer)

    stages = [stage(names[0], alone), stage(names[1], model)]
    return examine(stages, [asked(count)], EvaluateSettings(), title="t", made="2026-11-23")


@pytest.mark.parametrize(
    ("count", "alone", "model", "outcome"),
    [
        (60, 20, 50, "helped"),
        (60, 30, 31, "not shown"),
        (60, 30, 30, "did not help"),
        (60, 50, 20, "did not help"),
        (4, 0, 4, "not shown"),
    ],
)
def test_the_difference_and_its_interval_decide(count, alone, model, outcome):
    found = helped(card(count, alone, model))
    assert found.outcome == outcome
    assert (found.alone.mean, found.model.mean) == (alone / count, model / count)


def test_that_it_did_not_help_is_said_in_the_card_before_everything_else():
    made = told(card(60, 50, 20))
    assert made.notes[0].startswith(
        "finetuning did not help: 33.3% right with pages, 83.3% by retrieval alone (-50.0 points, "
    )
    assert "미세 조정이 도움이 되지 않았습니다: 쪽이 있을 때 33.3%" in made.notes[0]


def test_a_card_without_the_two_stages_says_nothing():
    plain = card(12, 1, 2, ("base", "finetuned"))
    assert helped(plain) is None and told(plain) is plain


def test_the_record_holds_the_line_and_the_figures():
    record = helped(card(60, 20, 50)).record
    assert record["outcome"] == "helped" and record["en"].startswith("finetuning helped: 83.3%")
    assert record["change"]["low"] > 0
