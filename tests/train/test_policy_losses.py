"""Reinforcement learning's parts against tables worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nextword.train import policy_losses as policy


def of(*rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_gae_by_hand():
    # first row:  delta = (0 + .6 - .5, 0 + .7 - .6, 1 - .7) = (.1, .1, .3), each + .95 of the next
    # second row: two tokens; delta = (-.1 + .4 - .2, 2 - .4) = (.1, 1.6)
    advantages, returns = policy.gae(
        of([0, 0, 1], [-0.1, 2, 0]), of([0.5, 0.6, 0.7], [0.2, 0.4, 9]), of([1, 1, 1], [1, 1, 0]), 1.0, 0.95
    )
    torch.testing.assert_close(advantages, of([0.46575, 0.385, 0.3], [1.62, 1.6, 0]))
    torch.testing.assert_close(returns, of([0.96575, 0.985, 1.0], [1.82, 2.0, 0]))


def test_gae_by_hand_with_discount():
    # gamma .9: delta = (0 + .9 x .6 - .5, 0 + .9 x .7 - .6, 1 - .7) = (.04, .03, .3), each + .45 of the next
    advantages, _ = policy.gae(of([0, 0, 1]), of([0.5, 0.6, 0.7]), of([1, 1, 1]), 0.9, 0.5)
    torch.testing.assert_close(advantages, of([0.11425, 0.165, 0.3]))


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=12))
def test_with_lambda_one_returns_are_the_rewards_to_go_whatever_the_values(steps):
    rewards, values = (of([float(x) for x in column]) for column in zip(*steps, strict=True))
    _, returns = policy.gae(rewards, values, torch.ones_like(rewards), 1.0, 1.0)
    torch.testing.assert_close(returns, rewards.flip(1).cumsum(1).flip(1))


def test_the_score_comes_with_the_last_token_and_the_leash_at_each():
    rewards = policy.token_rewards(
        of(1, -2, 5),
        of([0.1, 0.2, 0.3], [0.5, 7, 7], [9, 9, 9]),
        of([1, 1, 1], [1, 0, 0], [0, 0, 0]),
        kl_coef=0.5,
    )
    torch.testing.assert_close(rewards, of([-0.05, -0.1, 0.85], [-2.25, 0, 0], [0, 0, 0]))


def test_whitening_by_hand():
    # over 1, 3, 5: mean 3, deviation sqrt(8/3)
    x, mask, spread = of([1, 3], [5, 99]), of([1, 1], [1, 0]), math.sqrt(8 / 3)
    torch.testing.assert_close(policy.whitened(x, mask), of([-2 / spread, 0], [2 / spread, 0]))
    torch.testing.assert_close(
        policy.whitened(x, mask, shift=False), of([3 - 2 / spread, 3], [3 + 2 / spread, 0])
    )


def test_the_policys_clip_by_hand():
    # ratios 1.5, 0.5, 1.5, 0.5, 1.1; advantages +, +, -, -, +
    old = torch.zeros(5, dtype=torch.float64)
    new, advantages = of(1.5, 0.5, 1.5, 0.5, 1.1).log(), of(1, 1, -1, -1, 2)
    loss, is_clipped = policy.clipped_policy_loss(new, old, advantages, 0.2)
    torch.testing.assert_close(loss, of(-1.2, -0.5, 1.5, 0.8, -2.2))
    assert is_clipped.tolist() == [True, False, False, True, False]


def test_a_clipped_token_has_no_gradient_and_the_others_have_minus_advantage_at_ratio_one():
    new = of(0.0, math.log(1.5)).requires_grad_()
    loss, _ = policy.clipped_policy_loss(new, torch.zeros(2, dtype=torch.float64), of(3, 1), 0.2)
    loss.sum().backward()
    assert new.grad.tolist() == [-3, 0]


def test_the_values_clip_by_hand():
    # V_old 0, return 1, eps .2: V .1 -> .81; V .5 -> plain .25, clipped (.2 - 1)^2 = .64; V -1 -> 4 and 1.44
    loss, is_clipped = policy.clipped_value_loss(of(0.1, 0.5, -1), of(0, 0, 0), of(1, 1, 1), 0.2)
    torch.testing.assert_close(loss, of(0.405, 0.32, 2.0))
    assert is_clipped.tolist() == [False, True, False]


def test_k1_and_k3_by_hand():
    logp, ref = of(math.log(0.5), math.log(0.2)), of(math.log(0.25), math.log(0.4))
    torch.testing.assert_close(policy.k1(logp, ref), of(math.log(2), -math.log(2)))
    torch.testing.assert_close(policy.k3(logp, ref), of(0.5 - 1 + math.log(2), 2 - 1 - math.log(2)))


def test_both_estimates_of_kl_have_the_kl_as_their_mean():
    p, q = of(0.7, 0.2, 0.1), of(0.3, 0.3, 0.4)
    kl = (p * (p / q).log()).sum()
    for estimate in (policy.k1, policy.k3):
        torch.testing.assert_close((p * estimate(p.log(), q.log())).sum(), kl)


@given(st.floats(-20, 0), st.floats(-20, 0))
def test_k3_is_never_negative(logp, ref):
    assert policy.k3(of(logp), of(ref)).item() >= 0


def test_the_leash_tightens_by_at_most_two_percent_and_only_with_a_target():
    control = policy.AdaptiveKL(0.1, target=6.0)
    control.update(60.0)
    assert control.coef == pytest.approx(0.102)
    control.update(0.0)
    assert control.coef == pytest.approx(0.102 * 0.98)
    control.update(6.6)  # 10 % above: 1 %
    assert control.coef == pytest.approx(0.102 * 0.98 * 1.01)
    fixed = policy.AdaptiveKL(0.1)
    fixed.update(60.0)
    assert fixed.coef == 0.1


REWARDS = of([1, 0, 0, 3], [2, 2, 2, 2])


def test_grpo_by_hand():
    # mean 1, deviations (0, -1, -1, 2), s = sqrt(6 / 3)
    found = policy.grpo_advantages(REWARDS)
    scale = math.sqrt(2) + 1e-4
    torch.testing.assert_close(found.advantages, of([0, -1 / scale, -1 / scale, 2 / scale], [0, 0, 0, 0]))
    assert found.kept.tolist() == [True, False]


def test_dr_grpo_by_hand():
    found = policy.dr_grpo_advantages(REWARDS)
    torch.testing.assert_close(found.advantages, of([0, -1, -1, 2], [0, 0, 0, 0]))
    assert found.kept.tolist() == [True, False]


def test_rloo_by_hand():
    # the others' means: 1, 4/3, 4/3, 1/3
    found = policy.rloo_advantages(REWARDS)
    torch.testing.assert_close(found.advantages, of([0, -4 / 3, -4 / 3, 8 / 3], [0, 0, 0, 0]))
    assert found.kept.tolist() == [True, False]


def test_grpo_weighs_answers_alike_and_dr_grpo_tokens():
    token_losses, mask = of([1, 1, 1, 1], [3, 9, 9, 9]), of([1, 1, 1, 1], [1, 0, 0, 0])
    assert policy.grpo_loss(token_losses, mask).item() == 2
    assert policy.dr_grpo_loss(token_losses, mask, longest=7).item() == 0.5


def test_explained_variance_of_a_perfect_a_constant_and_a_bad_critic():
    returns, mask = of([1, 2, 3, 77]), of([1, 1, 1, 0])
    found = [
        policy.explained_variance(v, returns, mask).item() for v in (returns, of([5, 5, 5, 0]), -returns)
    ]
    assert found == pytest.approx([1, 0, -3])
    assert policy.explained_variance(returns, torch.ones_like(returns), mask).item() == 0
