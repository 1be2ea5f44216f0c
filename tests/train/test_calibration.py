"""Measures of verdicts worked out by hand."""

from __future__ import annotations

import math

import pytest

from nextword.train.calibration import Verdict, calibration, draw_calibration

SURE = math.log(4)  # sigmoid is 0.8


def test_accuracy_counts_a_draw_half():
    found = calibration([Verdict(1, 0, 5, 5), Verdict(0, 1, 5, 5), Verdict(2, 2, 5, 5), Verdict(3, 1, 5, 5)])
    assert found.accuracy == 0.625


def test_verdicts_as_sure_as_they_are_right_have_no_calibration_error():
    found = calibration([Verdict(SURE, 0, 5, 5)] * 4 + [Verdict(0, SURE, 5, 5)])
    assert found.accuracy == pytest.approx(0.8) and found.error == pytest.approx(0, abs=1e-9)


def test_the_error_is_the_gap_weighed_by_pairs():
    # three pairs 80 % sure and all right: gap .2; one pair 95.26 % sure and wrong: gap .9526
    found = calibration([Verdict(SURE, 0, 5, 5)] * 3 + [Verdict(0, 3, 5, 5)])
    assert found.error == pytest.approx((3 * 0.2 + 1 / (1 + math.exp(-3))) / 4)
    assert [one.pairs for one in found.bins] == [3, 1]


def test_which_side_stands_first_does_not_change_how_sure_a_verdict_is():
    there, back = calibration([Verdict(2, 0, 5, 5)]), calibration([Verdict(0, 2, 5, 5)])
    assert there.bins[0].confidence == back.bins[0].confidence


def test_a_reward_that_is_length_is_found_out():
    found = calibration([Verdict(9, 3, 9, 3), Verdict(4, 8, 4, 8), Verdict(2, 7, 2, 7)])
    assert found.length_correlation == pytest.approx(1) and found.longer_wrong_accuracy == 0
    assert found.accuracy == pytest.approx(1 / 3)


def test_where_nothing_varies_there_is_no_correlation():
    found = calibration([Verdict(1, 0, 5, 5)])
    assert found.length_correlation is None and found.longer_wrong_accuracy is None


def test_it_can_be_drawn(tmp_path):
    draw_calibration(calibration([Verdict(1, 0, 5, 5), Verdict(3, 0, 5, 5)]), tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
