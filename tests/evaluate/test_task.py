"""Tasks: what is asked, how it is marked, and which questions are taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.evaluate.task import (
    Detailed,
    Exemplified,
    Questions,
    Task,
    answered,
    asked,
    open_book,
    said,
    subset,
)
from tests.evaluate.conftest import question


def test_questions_are_a_task_with_details_and_examples(questions):
    task = Questions("docs", questions)
    assert isinstance(task, Task)
    assert isinstance(task, Detailed)
    assert isinstance(task, Exemplified)


def test_a_closed_book_question_is_the_question_alone(questions):
    first = Questions("docs", questions).conversations[0]
    assert [message.role for message in first.messages] == ["user"]
    assert first.meta == {
        "id": "oven.bake:signature:en",
        "lang": "en",
        "type": "signature",
        "group": "oven.bake",
        "gold": "bake(dough, minutes=30)",
        "url": "http://docs.test/oven.html",
    }


def test_an_open_book_question_shows_its_page_as_a_search_would(questions):
    first = open_book("docs", questions).conversations[0]
    assert [message.role for message in first.messages] == ["user", "tool"]
    assert first.messages[1].content == "oven\nbake(dough, minutes=30)\n    Do what bake says."


def test_a_right_answer_is_rewarded_and_a_wrong_one_is_not(questions):
    task = Questions("docs", questions)
    first = task.conversations[0]
    right = answered(first, '"bake(dough, minutes=30)" is how to call it.')
    wrong = answered(first, '"bake(dough)" is how to call it.')
    assert (task.reward(right), task.reward(wrong)) == (1.0, 0.0)
    assert task.details(right) == {"f1": 1.0}
    assert 0 < task.details(wrong)["f1"] < 1


def test_graded_never_lets_a_wrong_answer_reach_a_right_one(questions):
    task = Questions("docs", questions)
    first = task.conversations[0]
    right, near, far = (
        task.graded(answered(first, text))
        for text in ('"bake(dough, minutes=30)"', '"bake(dough, minutes=31)"', "Bread.")
    )
    assert right == 1.0
    assert 0.5 > near > far == 0.0


def test_examples_are_answered_and_show_pages_only_where_the_questions_do(questions):
    worked = [question("oven.cool")]
    closed, opened = Questions("docs", questions, {}, worked), open_book("docs", questions, worked)
    assert [message.role for message in closed.examples[0].messages] == ["user", "assistant"]
    assert [message.role for message in opened.examples[0].messages] == ["user", "tool", "assistant"]
    assert said(opened.examples[0]) == worked[0].answer


def test_what_was_asked_and_said_is_found_in_content_parts_too():
    parts = [{"type": "text", "text": "How "}, {"type": "image_url"}, {"type": "text", "text": "far?"}]
    talk = Conversation([Message("user", parts), Message("assistant", "Very.")])
    assert (asked(talk), said(talk)) == ("How far?", "Very.")
    assert asked(Conversation([Message("system", "Be brief.")])) == ""


@given(some.lists(some.text(), unique=True, max_size=20), some.integers(1, 25))
def test_a_larger_subset_only_adds_to_a_smaller_one(ids, most):
    few, more = subset(ids, most), subset(ids, most + 3)
    assert len(few) == min(most, len(ids))
    assert set(few) <= set(more)
    assert few == sorted(few)


def test_a_subset_of_zero_is_everything_and_a_seed_changes_the_choice():
    ids = [str(number) for number in range(100)]
    assert subset(ids, 0) == list(range(100))
    assert subset(ids, 10, seed=0) != subset(ids, 10, seed=1)


def test_a_subset_does_not_depend_on_the_order_of_the_file():
    ids = [str(number) for number in range(50)]
    backwards = ids[::-1]
    assert {ids[at] for at in subset(ids, 9)} == {backwards[at] for at in subset(backwards, 9)}


def test_a_question_of_a_type_that_nobody_can_check_is_refused():
    with pytest.raises(BadInput, match="is of the unknown type 'taste'; choose among description"):
        Questions("docs", [replace(question(), type="taste")])
