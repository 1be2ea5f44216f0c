"""Blind battles between models, and their ratings."""

import pytest

from nextword.common.dialogue import read_comparisons
from nextword.common.errors import BadInput
from nextword.label.refusals import NoSuch

ASKED = [{"role": "user", "content": "What is pi?"}]


@pytest.fixture
def arena(club):
    club.here, club.ann = club.project(), club.person("ann")
    return club


def fight(club, person, better: str = "strong", number: int = 0, models=("strong", "weak")) -> int:
    """A battle that the model `better` wins (or "tie" or "bad")."""
    prompt = [{"role": "user", "content": f"question {number}"}]
    item = club.office.arena.battle(
        person, club.here, prompt, {name: f"{name} says {number}" for name in models}
    )
    texts = [each["messages"][0]["content"] for each in item.material["answers"]]
    choice = (
        better if better in ("tie", "bad") else next(n for n, t in enumerate(texts) if t.startswith(better))
    )
    club.office.arena.vote(person, item.task, choice)
    return item.task


def test_a_battle_is_blind_until_the_vote(arena):
    battle = arena.office.arena.battle(arena.ann, arena.here, ASKED, {"strong": "3.14", "weak": "3"})
    assert not any(name in repr(battle) for name in ("strong", "weak"))
    with pytest.raises(NoSuch):
        arena.office.arena.reveal(arena.ann, battle.task)
    models = arena.office.arena.vote(arena.ann, battle.task, 0).models
    first = battle.material["answers"][0]["messages"][0]["content"]
    assert models[0] == {"3.14": "strong", "3": "weak"}[first]


def test_a_battle_belongs_to_who_asked(arena):
    battle = arena.office.arena.battle(arena.ann, arena.here, ASKED, {"strong": "3.14", "weak": "3"})
    ben = arena.person("ben")
    assert arena.office.desk.next(ben, arena.here) is None
    with pytest.raises(NoSuch):
        arena.office.arena.vote(ben, battle.task, 0)


def test_models_that_say_the_same_do_not_meet(arena):
    with pytest.raises(BadInput, match="equal sides"):
        arena.office.arena.battle(arena.ann, arena.here, ASKED, {"strong": "3", "weak": "3"})


def test_votes_become_ratings_with_intervals(arena):
    for number in range(12):
        fight(arena, arena.ann, "weak" if number % 4 == 0 else "strong", number)
    best, worst = arena.office.arena.ratings(arena.ann, arena.here, rounds=50)
    assert (best.name, best.wins, best.losses) == ("strong", 9, 3)
    assert best.low < best.rating < best.high
    assert best.rating - worst.rating == pytest.approx(191, abs=3)  # 400 log10(9 / 3)


def test_both_bad_counts_as_a_tie(arena):
    fight(arena, arena.ann, "bad", 1)
    fight(arena, arena.ann, "tie", 2)
    ratings = arena.office.arena.ratings(arena.ann, arena.here, rounds=5)
    assert [(each.ties, each.wins) for each in ratings] == [(2, 0), (2, 0)]
    assert [each.rating for each in ratings] == pytest.approx([1000, 1000])


def test_ordinary_comparisons_between_models_count_too(arena):
    arena.comparisons(arena.here, 1)
    arena.prefer(arena.ann, arena.here)
    assert [each.name for each in arena.office.arena.ratings(arena.ann, arena.here, 5)] == ["large", "small"]


def test_there_are_no_ratings_before_the_first_vote(arena):
    assert arena.office.arena.ratings(arena.ann, arena.here) == []


def test_what_was_voted_is_preference_data(arena, tmp_path):
    fight(arena, arena.ann, "strong", 7)
    path = tmp_path / "votes.jsonl"
    arena.office.datasets.cut(arena.owner, arena.here, "votes", "comparisons", path, sources=["arena"])
    (found,) = read_comparisons(path)
    assert (found.chosen[0].content, found.meta["rejected_by"]) == ("strong says 7", "weak")


def test_only_battles_are_voted_on(arena):
    arena.comparisons(arena.here, 1)
    task = arena.office.desk.next(arena.ann, arena.here).task
    with pytest.raises(NoSuch, match="no battle"):
        arena.office.arena.vote(arena.ann, task, 0)
