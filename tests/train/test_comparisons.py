"""Records as trees: what is scored, what is left out and why, and the order they come in."""

from __future__ import annotations

import pytest

from nextword.common.dialogue import Comparison, Rated
from nextword.common.records import Message
from nextword.tokenizer.chat import ChatTemplate
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.comparisons import Draws, PromptDraws, compared, judged, rated


@pytest.fixture(scope="module")
def chat(assistant):
    return ChatTemplate(Tokenizer.load(assistant))


def said(role: str, text: str) -> Message:
    return Message(role, text)


def pair(prompt: str, chosen: str, rejected: str, **meta) -> Comparison:
    return Comparison(
        [said("user", prompt)], [said("assistant", chosen)], [said("assistant", rejected)], meta
    )


def text(chat, ids) -> str:
    return chat.vocabulary.decode(ids, special=True)


def test_the_prompt_stands_once_and_each_answer_is_scored_to_its_stop_token(chat):
    (one,) = compared([pair("Why?", "So.", "No.")], chat, 96, held_out=0).train
    assert text(chat, one.tree.prefix) == "<|bos|><|user|>Why?<|end|><|assistant|>"
    assert [text(chat, branch.ids) for branch in one.tree.branches] == ["So.<|end|>", "No.<|end|>"]
    assert all(all(branch.mask) for branch in one.tree.branches)


def test_an_earlier_answer_is_part_of_the_prompt_and_what_a_tool_says_is_not_scored(chat):
    prompt = [said("user", "a"), said("assistant", "b"), said("user", "c")]
    chosen = [said("assistant", "look"), said("tool", "found"), said("assistant", "d")]
    (one,) = compared([Comparison(prompt, chosen, [said("assistant", "e")])], chat, 96, held_out=0).train
    branch = one.tree.branches[0]
    assert (
        text(chat, [id for id, on in zip(branch.ids, branch.mask, strict=True) if on])
        == "look<|end|>d<|end|>"
    )
    assert "b<|end|>" in text(chat, one.tree.prefix)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (pair("Why?", "So.", "So."), "with two equal sides"),
        (pair("Why?", "So.", "  "), "with an empty answer"),
        (pair("Why?", "So. " * 50, "No."), "longer than the context of 96 tokens"),
    ],
)
def test_what_cannot_be_compared_is_counted_with_its_reason(chat, record, reason):
    found = compared([record, pair("Why?", "So.", "No.")], chat, 96, held_out=0)
    assert len(found.train) == 1 and found.left_out == {reason: 1}
    assert found.told() == f"left out: 1 {reason}"


def test_an_answer_that_fits_exactly_is_kept(chat):
    record = pair("Why?", "So.", "No.")
    (one,) = compared([record], chat, 96, held_out=0).train
    assert compared([record], chat, one.tree.longest, held_out=0).train
    assert not compared([record], chat, one.tree.longest - 1, held_out=0).train


def test_rated_answers_are_trees_of_one_branch_and_a_comparison_is_two_of_them(chat):
    records = [
        *rated([pair("Why?", "So.", "No."), pair("a", "b", "b")]),
        Rated([said("user", "x")], [said("assistant", "")], True),
    ]
    found = judged(records, chat, 96, held_out=0)
    assert [(one.is_good, len(one.tree.branches)) for one in found.train] == [(True, 1), (False, 1)]
    assert found.left_out == {"with an empty answer": 1}


def test_no_prompt_is_on_both_sides_of_the_split(chat):
    records = [pair(f"{n % 40}?", f"yes {n}", "no") for n in range(120)]
    found = compared(records, chat, 96, held_out=30)
    sides = [{one.prompt for one in side} for side in (found.train, found.held_out)]
    assert all(sides) and not sides[0] & sides[1] and len(found.train) + len(found.held_out) == 120


def test_a_margin_is_a_number(chat):
    assert compared([pair("a", "b", "c", margin=2)], chat, 96, 0).train[0].margin == 2.0
    for wrong in ("much", -1, float("nan"), True):
        with pytest.raises(ValueError, match="margin is"):
            compared([pair("a", "b", "c", margin=wrong)], chat, 96, 0)


def test_draws_see_all_once_an_epoch_in_an_order_of_the_seed_and_go_on_where_they_stopped():
    draws = Draws(5, 2, seed=1)
    first = [number for _ in range(5) for number in draws.next()]
    assert sorted(first[:5]) == sorted(first[5:]) == [0, 1, 2, 3, 4] and first[:5] != first[5:]
    again = Draws(5, 2, seed=1)
    again.load_state_dict({"taken": 4})
    assert [number for _ in range(3) for number in again.next()] == first[4:10]
    assert Draws(100, 100, seed=2).next() != Draws(100, 100, seed=1).next()


def test_all_pairs_of_a_prompt_are_drawn_together():
    prompts = ["a", "b", "a", "c", "b", "a", "d", "d"]
    draws = PromptDraws(prompts, 2, seed=1)
    assert (draws.n, draws.records) == (4, 4)
    for _ in range(6):
        drawn = draws.next()
        asked = {prompts[number] for number in drawn}
        assert len(asked) == 2
        assert sorted(drawn) == [number for number, prompt in enumerate(prompts) if prompt in asked]
