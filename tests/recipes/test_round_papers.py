"""What both assistants are asked, and what a right answer is."""

from __future__ import annotations

import pytest

from nextword.common.dialogue import write_conversations
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.evaluate.task import answered
from nextword.recipes.round_papers import papers_for
from tests.evaluate.conftest import SIGNATURES, question

QUESTIONS = [question(name, lang=lang) for name in SIGNATURES for lang in ("en", "ko")]
BAKE = question("oven.bake")


def said(asked: str, answer: str, **meta) -> Conversation:
    return Conversation([Message("user", asked), Message("assistant", answer)], meta=meta)


def papers(*corrections, apart=(), questions=QUESTIONS, canaries=()):
    return papers_for(corrections, apart, questions, canaries, most=0)


def reward(task, answer: str) -> float:
    (conversation,) = task.conversations
    return task.reward(answered(conversation, answer))


def test_a_flagged_question_of_the_documentation_is_marked_by_its_key():
    found = papers(said(BAKE.text, '"bake(pan)", so it takes a pan.'))  # whatever somebody has approved
    assert reward(found.corrected, '"bake(dough, minutes=30)" is what the page says.') == 1.0
    assert reward(found.corrected, '"bake(pan)", so it takes a pan.') == 0.0


def test_corrections_that_the_documentation_contradicts_are_known():
    wrong, right = (
        said(BAKE.text, '"bake(pan)"'),
        said(question("oven.cool").text, question("oven.cool").answer),
    )
    (found,) = papers(wrong, right).corrected.contradicting
    assert found.messages == wrong.messages


def test_any_other_flagged_question_is_marked_by_the_approved_answer():
    found = papers(said("Where is the oven?", "It is in the old kitchen downstairs."))
    assert reward(found.corrected, "It is in the old kitchen, downstairs") == 1.0
    assert reward(found.corrected, "It is in the garden.") == 0.0


def test_held_out_questions_about_a_corrected_function_are_not_held_out_any_more():
    found = papers(said(BAKE.text, BAKE.answer))
    for task in found.gated[:2]:
        asked = {one.meta["group"] for one in task.conversations}
        assert asked == set(SIGNATURES) - {"oven.bake"}


def test_the_same_question_is_asked_in_the_other_language_too():
    found = papers(said(BAKE.text, BAKE.answer))
    assert [one.meta["id"] for one in found.other.conversations] == ["oven.bake:signature:ko"]


def test_without_anything_to_judge_by_there_is_no_round():
    with pytest.raises(BadInput, match="nothing to judge the new model by"):
        papers(said("a?", "b"), questions=[])


def test_canaries_are_answers_that_must_be_said(tmp_path):
    write_conversations(tmp_path / "c.jsonl", [said("Who are you?", "I am nextword.")])
    found = papers(said("a?", "b"), canaries=[tmp_path / "c.jsonl"])
    assert reward(found.canaries, "I am nextword!") == 1.0
    (one,) = found.canaries.conversations
    assert one.meta["id"].startswith("Who are you?")


def test_a_canary_without_an_answer_is_refused(tmp_path):
    write_conversations(tmp_path / "c.jsonl", [Conversation([Message("user", "Who are you?")])])
    with pytest.raises(BadInput, match="canary 1 ends without an answer"):
        papers(said("a?", "b"), canaries=[tmp_path / "c.jsonl"])
