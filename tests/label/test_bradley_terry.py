"""Ratings from votes, against published fits."""

import itertools

import numpy as np
import pytest

from nextword.common.errors import BadInput
from nextword.label.bradley_terry import SCALE, Vote, fit, ratings

# Davidson 1970 (JASA 65, 317-328), table 2: six brands of chocolate pudding, pairs i < j in the order
# (1,2) (1,3) (2,3) (1,4) (2,4) (3,4) (1,5) ... (5,6): i preferred, j preferred, no preference
PUDDING = {
    (0, 1): (19, 22, 16), (0, 2): (16, 19, 12), (1, 2): (19, 19, 10), (0, 3): (18, 23, 13),
    (1, 3): (23, 19, 9), (2, 3): (19, 20, 15), (0, 4): (13, 19, 18), (1, 4): (16, 20, 12),
    (2, 4): (16, 15, 17), (3, 4): (17, 14, 16), (0, 5): (18, 21, 12), (1, 5): (22, 20, 12),
    (2, 5): (13, 18, 10), (3, 5): (14, 19, 18), (4, 5): (11, 21, 12),
}  # fmt: skip

# Agresti, Categorical Data Analysis, the American League of 1987: rows beat columns
TEAMS = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"]
BASEBALL = np.array(
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ],
    dtype=float,
)


def test_davidson_s_puddings_get_his_strengths_and_his_weight_of_ties():
    wins, ties = np.zeros((6, 6)), np.zeros((6, 6))
    for (i, j), (first, second, tied) in PUDDING.items():
        wins[i, j], wins[j, i], ties[i, j], ties[j, i] = first, second, tied, tied
    found = fit(wins, ties, prior=0)
    strengths = np.exp(found.beta) / np.exp(found.beta).sum()
    assert strengths == pytest.approx([0.1388, 0.1729, 0.1617, 0.1653, 0.1587, 0.2026], abs=5e-4)
    assert found.nu == pytest.approx(0.7468, abs=5e-4)


def test_the_baseball_teams_get_the_textbook_s_estimates():
    beta = fit(BASEBALL, np.zeros((7, 7)), prior=0).beta
    assert beta - beta[-1] == pytest.approx([1.581, 1.436, 1.294, 1.248, 1.108, 0.684, 0], abs=1e-3)


def test_the_chances_of_a_fit_add_up_to_one():
    ties = np.ones((7, 7)) - np.eye(7)
    found = fit(BASEBALL, ties)
    assert sum(found.chances(0, 6)) == pytest.approx(1)
    assert found.chances(0, 6)[0] > found.chances(0, 6)[2]


def votes_of(chances: dict[tuple[str, str], float], each: int) -> list[Vote]:
    return [
        Vote(first, second, float(n < round(each * chance)))
        for (first, second), chance in chances.items()
        for n in range(each)
    ]


def test_ten_to_one_are_four_hundred_points():
    found = ratings(votes_of({("a", "b"): 10 / 11}, 110), rounds=0, prior=0)
    assert found[0].name == "a"
    assert found[0].rating - found[1].rating == pytest.approx(400)


def test_a_player_who_never_lost_stays_finite():
    found = ratings(votes_of({("a", "b"): 1.0}, 5), rounds=20)
    assert np.isfinite([found[0].rating, found[0].low, found[0].high]).all()
    assert found[0].rating - found[1].rating > 400


def test_more_votes_make_the_interval_narrower_and_it_holds_the_rating():
    few = ratings(votes_of({("a", "b"): 0.6}, 20), rounds=100)[0]
    many = ratings(votes_of({("a", "b"): 0.6}, 2000), rounds=100)[0]
    assert many.high - many.low < (few.high - few.low) / 4
    assert few.low < few.rating < few.high


def test_only_ties_make_equals():
    found = ratings([Vote("a", "b", 0.5)] * 3, rounds=10)
    assert [each.rating for each in found] == pytest.approx([1000, 1000])
    assert [each.ties for each in found] == [3, 3]


def test_wins_losses_and_ties_are_counted_whichever_side_a_player_stood_on():
    found = {
        each.name: each for each in ratings([Vote("a", "b", 1), Vote("b", "a", 0), Vote("a", "b", 0.5)], 5)
    }
    assert (found["a"].wins, found["a"].losses, found["a"].ties) == (2, 0, 1)
    assert (found["b"].wins, found["b"].losses, found["b"].ties) == (0, 2, 1)


def test_the_same_seed_gives_the_same_intervals():
    votes = votes_of({("a", "b"): 0.7, ("b", "c"): 0.6}, 30)
    assert ratings(votes, 20, seed=3) == ratings(votes, 20, seed=3)


def test_players_who_never_met_are_refused():
    with pytest.raises(BadInput, match="c, d never met a"):
        ratings([Vote("a", "b", 1), Vote("c", "d", 1)])


def test_simulated_strengths_are_found_again():
    random = np.random.default_rng(5)
    true = {"a": 0.8, "b": 0.1, "c": -0.9}
    votes = []
    for first, second in itertools.permutations(true, 2):
        chance = 1 / (1 + np.exp(true[second] - true[first]))
        votes += [Vote(first, second, float(random.random() < chance)) for _ in range(3000)]
    found = {each.name: (each.rating - 1000) / SCALE for each in ratings(votes, rounds=0)}
    assert found == pytest.approx(true, abs=0.1)
