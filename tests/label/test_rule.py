"""A rule that labels, and says so."""

import pytest

from nextword.label.item import Item
from nextword.label.rule import RuleLabeller


def length(prompt: list[dict], answer: list[dict]) -> float:
    return min(1.0, len(answer[-1]["content"]) / 10)


@pytest.fixture
def rule(club):
    write = {"known?": "an answer"}
    return RuleLabeller(
        club.office.people,
        club.office.desk,
        club.owner,
        "length",
        length,
        lambda prompt, about: write.get(prompt[-1]["content"]),
        close=0.15,
    )


def said(text: str) -> list[dict]:
    return [{"role": "assistant", "content": text}]


def item(kind: str, material: dict, asked: str = "known?") -> Item:
    prompt = [{"role": "user", "content": asked}]
    return Item(1, 1, kind, "", prompt, material, {}, (), "pending", None, 0, 1, True, None, 0.0)


@pytest.mark.parametrize(
    ("texts", "ranks", "bad"),
    [
        (["123", "123456789"], [2, 1], False),
        (["12345678", "123456789"], [1, 1], False),
        (["123456789", "123", "12345678"], [1, 2, 1], False),
        (["12", "3456"], [2, 1], True),
    ],
)
def test_it_ranks_by_its_score_with_ties_where_scores_are_close(rule, texts, ranks, bad):
    answers = {"answers": [{"messages": said(text)} for text in texts]}
    assert rule.answer(item("compare", answers)) == {"ranks": ranks, "bad": bad}


def test_it_may_say_only_which_is_best(rule):
    rule.only_best = True
    answers = {"answers": [{"messages": said(text)} for text in ("12", "123456789", "12345", "12345678")]}
    assert rule.answer(item("compare", answers)) == {"ranks": [2, 1, 2, 1], "bad": False}


def test_it_keeps_a_good_draft_and_writes_anew_where_it_knows_an_answer(rule):
    assert rule.answer(item("correct", {"draft": said("long enough")})) == {"messages": said("long enough")}
    assert rule.answer(item("correct", {"draft": said("no")})) == {"text": "an answer"}
    assert rule.answer(item("correct", {"draft": said("no")}, "unknown?")) is None


def test_it_rates_on_the_scale(rule):
    scale = {"answer": {"messages": said("12345")}, "criteria": ["true", "kind"], "low": 1, "high": 5}
    assert rule.answer(item("rate", scale)) == {"ratings": {"true": 3, "kind": 3}}


def test_it_works_through_the_queue_and_discards_what_it_does_not_know(club, rule):
    project = club.project()
    club.add(
        project,
        {"prompt": "known?"},
        {"prompt": "unknown?"},
        {"prompt": "q?", "answers": ["long answer", "no"]},
    )
    assert rule.work(project) == 2
    assert club.office.desk.next(club.person("ann"), project).prompt[-1]["content"] == "unknown?"


def test_it_is_marked_as_a_machine_and_left_out_of_the_figures_of_people(club, rule):
    project = club.project(overlap=2)
    club.add(project, {"prompt": "q?", "answers": ["long answer", "no"]})
    rule.work(project)
    club.prefer(club.person("ann"), project, "long")
    (work,) = [each for each in club.office.figures.people(club.owner, project) if each.is_machine]
    assert work.name == "rule:length"
    assert club.office.figures.agreement(club.owner, project) == []
    assert club.office.arena.votes(project) == []
