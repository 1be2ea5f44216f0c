"""What a round learns from: corrections among former conversations, and some that are set apart."""

from __future__ import annotations

import pytest

from nextword.common.dialogue import write_conversations
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.recipes.round_data import mixture, question_of, shared_out, taken


def said(question: str, answer: str, **meta) -> Conversation:
    return Conversation([Message("user", question), Message("assistant", answer)], meta=meta)


def by(who: str, review: str = "") -> dict:
    return {"labelled": {"by": [{"who": who}], **({"review": review} if review else {})}}


@pytest.fixture
def former(tmp_path):
    path = tmp_path / "former.jsonl"
    write_conversations(path, [said(f"q{at}?", f"a{at}", function=f"f{at}") for at in range(100)])
    return [path]


def test_corrections_stand_several_times_and_replace_what_they_correct(former):
    made = mixture([said("q7?", "better")], former, repeats=3, most=0, apart=10)
    answers = [one.messages[-1].content for one in made.conversations]
    assert answers.count("better") == 3
    assert "a7" not in answers
    assert made.facts == {
        "corrections": 1, "repeats": 3, "former": 89, "of": 100, "replaced": 1, "apart": 10,
    }  # fmt: skip


def test_what_is_set_apart_is_not_rehearsed_whatever_the_seed(former):
    first, second = (mixture([said("new?", "x")], former, 1, 30, 10, seed) for seed in (0, 1))
    assert first.apart == second.apart
    asked = {question_of(one) for one in first.apart}
    for made in (first, second):
        assert not asked & {question_of(one) for one in made.conversations}
    assert first.conversations != second.conversations


def test_what_is_set_apart_is_about_no_function_that_was_corrected(former):
    corrections = [said(f"what of f{at}?", "x", group=f"f{at}") for at in range(0, 100, 2)]
    made = mixture(corrections, former, 1, 0, 20)
    assert made.apart and not {one.meta["function"] for one in made.apart} & {
        f"f{n}" for n in range(0, 100, 2)
    }


def test_conversations_of_several_turns_are_learnt_and_not_asked_about(tmp_path):
    path = tmp_path / "turns.jsonl"
    turns = [Conversation([*said(f"q{at}?", "a").messages, *said("and?", "b").messages]) for at in range(40)]
    write_conversations(path, turns)
    assert mixture([said("new?", "x")], [path], 1, 0, 10).apart == []


def test_what_few_conversations_taught_is_rehearsed_several_times_and_not_by_chance(former, tmp_path):
    small = tmp_path / "small.jsonl"
    write_conversations(small, [said(f"hello {at}", "hi") for at in range(4)])
    made = mixture([said("new?", "x")], [*former, small], 1, 40, 0)
    answers = [one.messages[-1].content for one in made.conversations[1:]]
    assert (answers.count("hi"), len(answers), len(set(answers))) == (12, 40, 1 + 28)


def test_files_of_one_size_have_equal_shares():
    sources = [[said(f"{name}{at}", name) for at in range(50)] for name in "ab"]
    found = shared_out(sources, 31, question_of)
    assert [one.messages[-1].content for one in found] == ["a"] * 15 + ["b"] * 16


def test_without_a_limit_each_is_rehearsed_once():
    sources = [[said(f"{name}{at}", name) for at in range(size)] for name, size in (("a", 30), ("b", 5))]
    found = shared_out(sources, 0, question_of)
    assert len({question_of(one) for one in found}) == len(found) == 35


def test_too_few_former_conversations_are_refused(tmp_path):
    path = tmp_path / "few.jsonl"
    write_conversations(path, [said(f"q{at}?", "a") for at in range(10)])
    with pytest.raises(BadInput, match="former conversations are too few to keep the rest in memory"):
        mixture([said("new?", "x")], [path], 1, 60, 5)


def test_one_person_s_corrections_can_be_left_out():
    given = [said("a?", "1", **by("p-1")), said("b?", "2", **by("p-2"))]
    assert taken(given, without=["p-2"]) == given[:1]
    with pytest.raises(BadInput, match=r"no correction is by p-3"):
        taken(given, without=["p-3"])
    with pytest.raises(BadInput, match="no correction is left"):
        taken(given, without=["p-1", "p-2"])


def test_only_what_a_reviewer_has_accepted_is_taken_where_that_is_asked():
    given = [said(f"{v}?", "1", **by("p-1", v)) for v in ("", "accepted", "amended")]
    assert taken(given, is_reviewed=True) == given[1:]
    assert taken(given) == given
