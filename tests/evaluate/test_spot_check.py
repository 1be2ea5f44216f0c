"""Ten questions that a stranger can check."""

from __future__ import annotations

import io
import random
from collections import Counter
from dataclasses import replace

from rich.console import Console

from nextword.common.errors import Failure
from nextword.engine.fake import FakeModel
from nextword.evaluate.exam import Reply, by_lookup, examinee
from nextword.evaluate.spot_check import (
    right_of,
    spot_check,
    spot_questions,
    spot_record,
)
from nextword.evaluate.spot_table import print_spot_check
from tests.evaluate.conftest import question

OVEN = "http://docs.test/oven.html"


def many():
    """Sixty questions about fifteen functions."""
    found = []
    for number in range(15):
        for type in ("signature", "description"):
            for lang in ("en", "ko"):
                one = question("oven.bake", type, lang)
                name = f"oven.tool_{number}"
                found.append(
                    replace(
                        one,
                        id=f"{name}:{type}:{lang}",
                        function_id=name,
                        text=one.text.replace("oven.bake", name),
                    )
                )
    return found


def test_five_questions_of_each_language_about_ten_functions():
    chosen = spot_questions(many())
    assert [one.lang for one in chosen] == ["en"] * 5 + ["ko"] * 5
    assert len({one.function_id for one in chosen}) == 10


def test_where_there_is_one_language_all_ten_are_of_it():
    chosen = spot_questions([one for one in many() if one.lang == "ko"])
    assert [one.lang for one in chosen] == ["ko"] * 10


def test_what_one_language_has_too_few_of_the_other_makes_up_for():
    questions = many()
    few = [one for one in questions if one.lang == "en"][:2]
    chosen = spot_questions([*few, *(one for one in questions if one.lang == "ko")])
    assert [one.lang for one in chosen] == ["en"] + ["ko"] * 9  # both English ones are about one function
    assert len({one.function_id for one in chosen}) == 10


def test_types_come_in_turn_and_the_second_language_goes_on_where_the_first_stopped():
    chosen = spot_questions(many())
    assert Counter(one.type for one in chosen) == {"description": 5, "signature": 5}


def test_the_choice_does_not_depend_on_the_order_of_the_file():
    questions = many()
    shuffled = random.Random(1).sample(questions, len(questions))
    assert spot_questions(questions) == spot_questions(shuffled)


def test_few_functions_give_few_questions(questions):
    assert len(spot_questions(questions)) == 4  # there are four functions
    assert spot_questions([]) == []


def checked():
    questions = [question("oven.bake"), question("oven.cool", lang="ko")]
    answers = {
        questions[0].text: '"bake(dough, minutes=30)" is how to call it.',
        questions[1].text: Failure("the page does not fit"),
    }
    return spot_check(
        questions,
        {
            "finetuned": examinee(FakeModel(answers)),
            "with pages": by_lookup(lambda text: Reply("No \x1b[31midea.", url="http://docs.test/a")),
        },
    )


def test_every_stage_answers_and_is_marked():
    first, second = checked()
    assert first.answers["finetuned"].reward == 1.0
    assert second.answers["finetuned"].reply.end == "failed"
    assert right_of([first, second]) == {"finetuned": 1, "with pages": 0}


def test_the_record_has_all_that_a_page_needs():
    first, second = spot_record(checked())
    assert first["url"] == "http://docs.test/oven.html"
    assert first["answers"]["finetuned"] == {
        "text": '"bake(dough, minutes=30)" is how to call it.',
        "right": True,
        "end": "stop",
        "error": "",
        "url": "",
    }
    assert second["answers"]["finetuned"]["error"] == "the page does not fit"
    assert second["answers"]["with pages"]["url"] == "http://docs.test/a"


def printed(width=100):
    out = io.StringIO()
    print_spot_check(spot_record(checked()), Console(file=out, width=width), {OVEN: "file:///oven.html"})
    return out.getvalue()


def test_the_table_shows_questions_links_answers_and_marks():
    shown = printed()
    assert "What is the signature of oven.bake?" in shown
    assert "file:///oven.html" in shown
    assert '✓ "bake(dough, minutes=30)" is how to call it.' in shown
    assert "✗ No �[31midea." in shown
    assert "- the page does not fit" in shown
    assert "right: finetuned 1 of 2, with pages 0 of 2" in shown


def test_nothing_in_the_table_can_move_the_cursor():
    assert "\x1b" not in printed()


def test_the_table_fits_a_narrow_terminal():
    assert max(map(len, printed(width=60).splitlines())) <= 60
