"""Bootstrap intervals, drawn by groups."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nextword.evaluate.interval import Interval, change, interval, share


def test_nothing_has_no_interval():
    assert interval([]) == Interval(0.0, 0.0, 0.0, 0)


@given(some.lists(some.floats(-5, 5), min_size=1, max_size=30))
def test_the_mean_lies_within_and_the_ends_within_the_values(values):
    found = interval(values, resamples=50)
    assert found.count == len(values)
    assert found.mean == pytest.approx(sum(values) / len(values))
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_the_interval_is_about_two_standard_errors_on_each_side():
    values = [1.0] * 300 + [0.0] * 700
    error = math.sqrt(0.3 * 0.7 / 1000)
    found = interval(values, resamples=4000)
    assert found.low == pytest.approx(0.3 - 1.96 * error, abs=0.004)
    assert found.high == pytest.approx(0.3 + 1.96 * error, abs=0.004)


def test_it_covers_the_truth_about_nineteen_times_of_twenty():
    coin, covered = random.Random(3), 0
    for trial in range(200):
        found = interval([float(coin.random() < 0.4) for _ in range(80)], seed=trial, resamples=300)
        covered += found.low <= 0.4 <= found.high
    assert 176 <= covered <= 199  # 190 expected, standard deviation 3


def test_values_that_hang_together_make_it_wider():
    values = [1.0, 1.0] * 50 + [0.0, 0.0] * 50
    alone = interval(values)
    together = interval(values, [at // 2 for at in range(200)])
    assert together.high - together.low == pytest.approx(math.sqrt(2) * (alone.high - alone.low), rel=0.15)


def test_the_order_of_groups_does_not_matter_to_the_mean():
    assert interval([0.0, 1.0, 1.0], ["b", "a", "b"]).mean == pytest.approx(2 / 3)


def test_the_same_seed_gives_the_same_interval():
    values = [random.Random(1).random() for _ in range(40)]
    assert interval(values, seed=5) == interval(values, seed=5)


def test_many_values_are_drawn_in_pieces_with_the_same_meaning(monkeypatch):
    monkeypatch.setattr("nextword.evaluate.interval.AT_ONCE", 100)
    found = interval([0.0, 1.0] * 100, resamples=500)
    assert 0.4 < found.low < 0.5 < found.high < 0.6


def test_a_change_is_surer_than_two_means():
    before = [float(at % 2) for at in range(100)]
    after = [max(value, float(at % 10 == 0)) for at, value in enumerate(before)]
    grown = change(before, after)
    assert grown.mean == pytest.approx(0.1)
    assert grown.low > 0
    assert interval(before).high > interval(after).low  # which alone would not tell them apart


def test_it_reads_as_a_share():
    assert str(Interval(0.25, 0.2, 0.3, 1234)) == "25.0% (20.0% to 30.0%, n = 1,234)"


def test_a_share_of_all_or_nothing_still_has_an_interval():
    assert share([0.0] * 50).high == pytest.approx(1 - 0.025 ** (1 / 50))
    assert share([1.0] * 50).low == pytest.approx(0.025 ** (1 / 50))
    assert (share([0.0] * 50).low, share([1.0] * 50).high) == (0.0, 1.0)
    assert share([]) == Interval(0.0, 0.0, 0.0, 0)


def test_a_share_of_few_groups_is_less_sure():
    assert share([0.0] * 50, [at // 10 for at in range(50)]).high == share([0.0] * 5).high


def test_any_other_share_is_the_bootstraps():
    assert share([0.0, 1.0, 1.0]) == interval([0.0, 1.0, 1.0])
