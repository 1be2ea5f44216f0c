"""Which questions are put to every stage."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from nextword.common.errors import BadInput
from nextword.evaluate.choice import Choices
from nextword.evaluate.papers import documentation, papers_of
from tests.evaluate.conftest import question


@pytest.fixture
def many():
    """A hundred and twenty questions about thirty functions."""
    return [
        replace(one, id=f"oven.tool_{n}:{one.type}:{one.lang}", function_id=f"oven.tool_{n}")
        for n in range(30)
        for one in (
            question(type=type, lang=lang) for type in ("signature", "description") for lang in ("en", "ko")
        )
    ]


def test_the_same_questions_are_put_from_memory_and_with_their_page(many):
    closed, opened = documentation(many, most=40)
    assert closed.questions == opened.questions
    assert not closed.pages and set(opened.pages) == {one.id for one in opened.questions}


def test_a_question_comes_in_both_languages(many):
    closed, _ = documentation(many, most=40)
    counts = Counter(one.id.rpartition(":")[0] for one in closed.questions)
    assert set(counts.values()) == {2}
    assert len(closed.questions) == 40


def test_examples_are_of_every_language_and_type_and_are_not_asked(many):
    closed, _ = documentation(many, most=0, shots=3)
    assert Counter((one.lang, one.type) for one in closed.worked) == {
        (lang, type): 3 for lang in ("en", "ko") for type in ("signature", "description")
    }
    asked = {one.id for one in closed.questions}
    shown = {one.id.rpartition(":")[0] for one in closed.worked}
    assert len(asked) == len(many) - 2 * len(shown)
    assert shown.isdisjoint(id.rpartition(":")[0] for id in asked)


def test_a_larger_paper_only_adds_to_a_smaller_one(many):
    few, more = (documentation(many, most)[0].questions for most in (20, 60))
    assert {one.id for one in few} < {one.id for one in more}


def test_the_choice_does_not_depend_on_the_order_of_the_file(many):
    one, other = documentation(many, 30)[0], documentation(many[::-1], 30)[0]
    assert {each.id for each in one.questions} == {each.id for each in other.questions}


def test_without_questions_there_are_still_our_own_requests(tmp_path):
    assert [task.name for task in papers_of([], [], tmp_path)] == ["our own requests"]


def test_well_known_tests_are_read_by_their_names(need, many):
    data = need("../shared/data")
    tasks = papers_of(many, ["piqa", "gsm8k", "xstest"], data, most=5)
    assert [task.name for task in tasks][2:] == ["our own requests", "piqa", "gsm8k", "xstest"]
    sizes = [len(task.choices if isinstance(task, Choices) else task.conversations) for task in tasks]
    assert sizes[3:] == [5, 5, 5]


def test_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no task is called 'hellaswag'"):
        papers_of([], ["hellaswag"], tmp_path)
