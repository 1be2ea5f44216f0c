"""Win rates, length-matched, by a judge that is passed in."""

from __future__ import annotations

import pytest

from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.evaluate.exam import Marked, Reply
from nextword.evaluate.task import Questions, said
from nextword.evaluate.win_rate import both_ways, by_score, win_rate


def given(*texts):
    return [
        Marked(Conversation([Message("user", "?")], meta={"id": str(at)}), Reply(text), 0.0)
        for at, text in enumerate(texts)
    ]


def has_a(conversation):
    return float(said(conversation).count("a"))


def test_wins_ties_and_losses_are_counted_and_a_tie_is_half_a_win():
    found = win_rate(given("a", "b", "b", "a"), given("b", "b", "a", "b"), by_score(has_a))
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)
    assert found.rate.mean == 2.5 / 4


def test_ties_are_left_out_of_the_decided_share():
    ours, theirs = given("a", "b", "a", "b" * 40), given("b", "b", "b", "a")
    found = win_rate(ours, theirs, by_score(has_a))
    assert (found.decided.mean, found.decided.count) == (pytest.approx(2 / 3), 3)
    assert (found.matched_decided.mean, found.matched_decided.count) == (1.0, 2)


def test_pairs_without_a_decision_have_no_decided_share():
    assert win_rate(given("b"), given("b"), by_score(has_a)).decided.count == 0


def test_only_pairs_of_like_length_are_matched():
    ours = given("a" * 40, "a" * 100, "b" * 10)
    theirs = given("b", "b" * 99, "a" * 12)
    found = win_rate(ours, theirs, by_score(has_a))
    assert found.rate.mean == pytest.approx(2 / 3)
    assert (found.matched.mean, found.matched.count) == (0.5, 2)
    assert found.longer == (39 + 1 - 2) / 3


def test_silence_is_not_of_the_length_of_words():
    found = win_rate(given("", ""), given("", "some words"), by_score(has_a))
    assert found.matched.count == 1


def test_a_judge_who_prefers_the_first_is_asked_both_ways():
    found = win_rate(given("a", "a"), given("b", "c"), both_ways(lambda *_: 1.0))
    assert (found.ties, found.rate.mean) == (2, 0.5)


def test_scores_close_together_are_a_tie():
    judge = by_score(has_a, close=1)
    assert win_rate(given("aa"), given("a"), judge).ties == 1
    assert win_rate(given("aaa"), given("a"), judge).wins == 1


def test_what_could_not_be_asked_is_lost():
    failed = Marked(given("x")[0].conversation, Reply("", "failed", error="too long"), 0.0)
    assert win_rate([failed], given("b"), by_score(has_a)).losses == 1
    assert win_rate(given("b"), [failed], by_score(has_a)).wins == 1
    assert win_rate([failed], [failed], by_score(has_a)).ties == 1


def test_the_documentation_judge_checks_facts(questions):
    task = Questions("docs", questions)
    first = task.conversations[0]
    right, wrong, further = '"bake(dough, minutes=30)"', '"bake(dough, minutes=3)"', "no idea at all"
    facts, finer = by_score(task.reward), by_score(task.graded)
    assert facts(first, right, wrong) == finer(first, right, wrong) == 1.0
    assert facts(first, wrong, further) == 0.5
    assert finer(first, wrong, further) == 1.0


def test_answers_to_other_questions_are_refused():
    with pytest.raises(BadInput, match="different questions"):
        win_rate(given("a"), given("a", "b"), by_score(has_a))
