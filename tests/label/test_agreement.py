"""Coefficients of agreement, against worked examples that others have published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.label.agreement import cohen, fleiss, krippendorff, share, wilson

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve units
UNITS = [
    [1, 1, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [5, 5, 5],
    [1, 1],
    [3],
]

# Fleiss, "Measuring nominal scale agreement among many raters" (1971): fourteen raters, ten subjects
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def two_raters(both_yes: int, yes_no: int, no_yes: int, both_no: int) -> tuple[str, str]:
    first = "y" * (both_yes + yes_no) + "n" * (no_yes + both_no)
    return first, "y" * both_yes + "n" * yes_no + "y" * no_yes + "n" * both_no


@pytest.mark.parametrize(
    ("table", "kappa"),
    [((20, 5, 10, 15), 0.4000), ((45, 15, 25, 15), 0.1304), ((25, 35, 5, 35), 0.2593)],
)
def test_cohen_s_kappa_of_the_textbook_tables(table, kappa):
    assert cohen(*two_raters(*table)) == pytest.approx(kappa, abs=5e-5)


def test_cohen_s_kappa_may_be_negative():
    assert cohen("abab", "baba") == -1


def test_fleiss_kappa_of_the_worked_example():
    units = [[value for value, n in enumerate(row) for _ in range(n)] for row in FLEISS]
    assert fleiss(units) == pytest.approx(0.210, abs=5e-4)


@pytest.mark.parametrize(("measure", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorff_s_alpha_of_his_own_example(measure, alpha):
    assert krippendorff(UNITS, measure) == pytest.approx(alpha, abs=5e-4)


def test_krippendorff_s_alpha_of_his_two_observers_with_two_values():
    # section A of the same paper: ten units, alpha 0.095
    first, second = "0100000010", "1110010000"
    assert krippendorff(list(zip(first, second, strict=True))) == pytest.approx(0.095, abs=5e-4)


def test_krippendorff_s_alpha_of_his_two_observers_with_five_values():
    # section B: twelve articles, alpha 0.692
    first, second = "aabbdcccedda", "babbbccceddd"
    assert krippendorff(list(zip(first, second, strict=True))) == pytest.approx(0.692, abs=5e-4)


@pytest.mark.parametrize(
    "coefficient", [fleiss, krippendorff, lambda units: cohen(*zip(*units, strict=True))]
)
def test_nothing_is_said_where_only_one_value_was_ever_used(coefficient):
    assert coefficient([["a", "a"], ["a", "a"]]) is None


@pytest.mark.parametrize("coefficient", [share, fleiss, krippendorff])
def test_nothing_is_said_of_nothing(coefficient):
    assert coefficient([]) is None


def test_the_share_counts_pairs_of_labels():
    assert share([["a", "a", "b"], ["c"]]) == pytest.approx(1 / 3)


PAIRS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=2, max_size=30)


@given(PAIRS)
def test_no_coefficient_is_above_one_and_who_comes_first_does_not_matter(pairs):
    turned = [pair[::-1] for pair in pairs]
    for measure in ("nominal", "ordinal", "interval"):
        alpha = krippendorff(pairs, measure)
        assert alpha is None or alpha <= 1 + 1e-12
        assert alpha == pytest.approx(krippendorff(turned, measure))
    kappa = fleiss(pairs)
    assert kappa is None or kappa <= 1 + 1e-12


@given(PAIRS)
def test_an_ordinal_measure_sees_the_order_only(pairs):
    stretched = [tuple(value**3 for value in pair) for pair in pairs]
    assert krippendorff(pairs, "ordinal") == pytest.approx(krippendorff(stretched, "ordinal"))


def test_wilson_s_interval_of_a_published_example():
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I: 81 of 263
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_wilson_s_interval_of_nothing_is_everything():
    assert wilson(0, 0) == (0, 1)
