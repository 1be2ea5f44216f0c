"""Losses of preferences against numbers worked out by hand, and against what the papers say of them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nextword.train import preference_losses as losses

SUMS = st.floats(-200, -0.01)


def of(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_dpo_by_hand():
    # log-ratios: chosen -10 + 12 = 2, rejected -20 + 19 = -1; margin 3; beta 0.5 -> 1.5
    found = losses.dpo(of(-10), of(-20), of(-12), of(-19), beta=0.5)
    assert found.item() == pytest.approx(-math.log(sigmoid(1.5)))


def test_conservative_dpo_mixes_the_loss_of_the_flipped_label():
    found = losses.dpo(of(-10), of(-20), of(-12), of(-19), beta=0.5, smoothing=0.1)
    assert found.item() == pytest.approx(-0.9 * math.log(sigmoid(1.5)) - 0.1 * math.log(sigmoid(-1.5)))


@given(SUMS, SUMS)
def test_a_policy_that_is_its_reference_has_the_loss_of_a_coin(chosen, rejected):
    found = losses.dpo(of(chosen), of(rejected), of(chosen), of(rejected), beta=0.1)
    assert found.item() == pytest.approx(math.log(2))


def test_ipo_by_hand():
    # per token: 2 / 4 - (-1 / 5) = 0.7; 1 / (2 * 0.5) = 1; (0.7 - 1)^2
    found = losses.ipo(of(-10), of(-20), of(-12), of(-19), of(4), of(5), beta=0.5)
    assert found.item() == pytest.approx(0.09)


def test_ipo_is_content_with_its_margin_and_punishes_more_as_it_does_less():
    at, below, above = (
        losses.ipo(of(x), of(0), of(0), of(0), of(1), of(1), beta=0.25).item() for x in (2, 1, 3)
    )
    assert at == 0 and below == above == 1


def test_kto_by_hand():
    # ratios 2 and -1, kl 0.5, beta 0.5: good sigmoid(0.75), bad sigmoid(0.75)
    found = losses.kto(of(-10, -20), of(-12, -19), torch.tensor([True, False]), of(0.5)[0], 0.5, 1.0, 2.0)
    assert found.tolist() == pytest.approx([1 - sigmoid(0.75), 2 * (1 - sigmoid(0.75))])


def test_ktos_reference_point_is_never_negative_and_has_no_gradient():
    mismatched = of(-3, -5).requires_grad_()
    kl = losses.kto_kl(mismatched, of(-4, -6))
    assert kl.item() == 1 and not kl.requires_grad
    assert losses.kto_kl(mismatched, of(0, 0)).item() == 0


def test_orpo_by_hand():
    # p = 0.5 has odds 1, p = 0.2 has odds 0.25: ln odds ratio = ln 4
    found = losses.orpo(of(math.log(0.5)), of(math.log(0.2)), beta=0.1)
    assert found.item() == pytest.approx(-0.1 * math.log(sigmoid(math.log(4))))


@pytest.mark.parametrize("mean", [-1e-12, -1e-6, -0.6931, -0.6932, -5, -80])
def test_orpos_odds_have_a_finite_gradient_from_certain_to_hopeless(mean):
    chosen = torch.tensor([mean], dtype=torch.float32, requires_grad=True)
    loss = losses.orpo(chosen, torch.tensor([-1.0]), beta=0.1)
    loss.backward()
    assert loss.isfinite() and chosen.grad.isfinite()


def test_simpo_by_hand():
    found = losses.simpo(of(-0.5), of(-1.5), beta=2.0, gamma=0.5)
    assert found.item() == pytest.approx(-math.log(sigmoid(1.5)))


def test_bradley_terry_by_hand():
    assert losses.bradley_terry(of(2), of(1)).item() == pytest.approx(-math.log(sigmoid(1)))
    assert losses.bradley_terry(of(2), of(1), margin=of(1)).item() == pytest.approx(math.log(2))
    found = losses.bradley_terry(of(2), of(1), centre=0.01).item()
    assert found == pytest.approx(-math.log(sigmoid(1)) + 0.09)


@given(SUMS, SUMS, SUMS, SUMS)
def test_preferring_the_chosen_more_never_costs_more(chosen, rejected, ref_chosen, ref_rejected):
    def each(x: float) -> list[float]:
        pair = of(chosen + x), of(rejected), of(ref_chosen), of(ref_rejected)
        good, kl = torch.tensor([True]), of(0)[0]
        return [
            losses.dpo(*pair, beta=0.1).item(),
            losses.kto(pair[0], pair[2], good, kl, 0.1).item(),
            losses.simpo(pair[0], pair[1], 2.0, 0.5).item(),
        ]

    assert all(more <= less + 1e-12 for more, less in zip(each(0.5), each(0.0), strict=True))
