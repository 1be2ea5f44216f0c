"""What reinforcement learning adds: advantages, clipped losses, and the leash to the reference.

Pure functions. Tensors of tokens are (S, A): S answers, each a row of its own tokens, `mask` 1 where there is
one and 0 behind the last. Symbols are the papers': gamma, gae_lambda, clip_eps, advantages, returns.

    GAE       Schulman et al. 2015 (1506.02438), eq. 16     PPO clip   Schulman et al. 2017, eq. 7
    adaptive  Ziegler et al. 2019, section 2.2              k1, k3     joschu.net/blog/kl-approx
    GRPO      Shao et al. 2024, section 4.1                 RLOO       Ahmadian et al. 2024, eq. 8
    Dr. GRPO  Liu et al. 2025, section 3.2

A value in the state before a token predicts what that token and all after it will bring.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SPREAD_EPS = 1e-4
"""Added to a group's standard deviation (TRL's, for equal rewards have none)."""


def gae(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, gae_lambda: float
) -> tuple[Tensor, Tensor]:
    """Advantages and returns, both (S, A).

    delta_t = r_t + gamma V_{t+1} - V_t,  A_t = delta_t + gamma lambda A_{t+1},  return_t = A_t + V_t; after
    the last token nothing comes: V and A are 0 there. lambda 0 trusts the values, 1 only the rewards.
    """
    advantages = torch.zeros_like(values)
    following = values.new_zeros(len(values))
    next_value = values.new_zeros(len(values))
    for t in reversed(range(values.shape[1])):
        on = mask[:, t]
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        following = (delta + gamma * gae_lambda * following) * on
        next_value = values[:, t] * on
        advantages[:, t] = following
    return advantages, (advantages + values) * mask


def whitened(x: Tensor, mask: Tensor, shift: bool = True) -> Tensor:
    """Divided by the standard deviation over the mask, with mean 0, or without `shift` the mean it had."""
    mean = masked_mean(x, mask)
    spread = (masked_mean((x - mean) ** 2, mask) + 1e-8).rsqrt()
    white = (x - mean) * spread if shift else (x - mean) * spread + mean
    return white * mask


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """The mean where the mask is 1; 0 where it is nowhere: (...) -> ()."""
    return (x * mask).sum() / mask.sum().clamp(min=1)


def k1(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """ln p - ln p_ref of the policy's own tokens: unbiased, may be negative."""
    return logprobs - ref_logprobs


def k3(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """p_ref / p - 1 - ln(p_ref / p): unbiased too, never negative, and of less variance."""
    ratio = ref_logprobs - logprobs
    return torch.expm1(ratio) - ratio


def clipped_policy_loss(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip_eps: float
) -> tuple[Tensor, Tensor]:
    """-min(ratio A, clip(ratio, 1 +- eps) A) of each, and whether the clip decided. Any one shape.

    ratio = p / p_old. Once a step has made a good token likelier by eps, the batch has no more to say.
    """
    ratio = torch.exp(logprobs - old_logprobs)
    plain, clipped = ratio * advantages, ratio.clamp(1 - clip_eps, 1 + clip_eps) * advantages
    return -torch.minimum(plain, clipped), clipped < plain


def clipped_value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, clip_eps: float
) -> tuple[Tensor, Tensor]:
    """max((V - R)^2, (V clipped around V_old - R)^2) / 2 of each, and whether the clip decided."""
    near = old_values + (values - old_values).clamp(-clip_eps, clip_eps)
    plain, clipped = (values - returns) ** 2, (near - returns) ** 2
    return torch.maximum(plain, clipped) / 2, clipped > plain


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, kl_coef: float) -> Tensor:
    """-kl_coef x kl at every token, and the answer's score at its last one: (S,), (S, A) -> (S, A)."""
    rewards = -kl_coef * kl * mask
    last = (mask.sum(1).long() - 1).clamp(min=0)
    has_token = mask.any(1).to(scores.dtype)
    return rewards.scatter_add(1, last[:, None], (scores * has_token)[:, None])


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """1 - Var(returns - values) / Var(returns): 1 is a perfect critic, 0 no better than a constant."""
    residual = returns - values
    error = masked_mean((residual - masked_mean(residual, mask)) ** 2, mask)
    spread = masked_mean((returns - masked_mean(returns, mask)) ** 2, mask)
    return torch.where(spread > 0, 1 - error / spread.clamp(min=1e-12), torch.zeros_like(spread))


@dataclass
class AdaptiveKL:
    """A leash that tightens when the policy is too far from the reference and loosens when it is too near.

    target: nats an answer; 0 leaves the coefficient as it is. Each update moves it by at most `rate` x 20 %.
    """

    coef: float
    target: float = 0.0
    rate: float = 0.1

    def update(self, kl: float) -> None:
        """coef *= 1 + rate clip(kl / target - 1, +-0.2)."""
        if self.target:
            self.coef *= 1 + self.rate * max(-0.2, min(0.2, kl / self.target - 1))


@dataclass(frozen=True)
class Grouped:
    """Advantages of a group's answers, (P, G), and which groups have any to learn from, (P,) bool."""

    advantages: Tensor
    kept: Tensor


def grpo_advantages(rewards: Tensor) -> Grouped:
    """(r - mean) / (standard deviation + 1e-4) within each group: (P, G)."""
    spread = rewards.std(1, keepdim=True)
    return Grouped(_centred(rewards) / (spread + SPREAD_EPS), _has_spread(rewards))


def dr_grpo_advantages(rewards: Tensor) -> Grouped:
    """r - mean within each group: dividing by the deviation favours questions that are nearly decided."""
    return Grouped(_centred(rewards), _has_spread(rewards))


def rloo_advantages(rewards: Tensor) -> Grouped:
    """r - the mean of the others in its group, which as a baseline leaves the gradient unbiased."""
    G = rewards.shape[1]
    others = (rewards.sum(1, keepdim=True) - rewards) / (G - 1)
    return Grouped(rewards - others, _has_spread(rewards))


def _centred(rewards: Tensor) -> Tensor:
    return rewards - rewards.mean(1, keepdim=True)


def _has_spread(rewards: Tensor) -> Tensor:
    """Groups whose answers were not all as good: the others' advantages are zero and teach nothing."""
    return rewards.amax(1) > rewards.amin(1)


def grpo_loss(token_losses: Tensor, mask: Tensor) -> Tensor:
    """The mean over answers of each one's mean over its tokens: (S, A) -> ()."""
    return ((token_losses * mask).sum(1) / mask.sum(1).clamp(min=1)).mean()


def dr_grpo_loss(token_losses: Tensor, mask: Tensor, longest: int) -> Tensor:
    """The sum over tokens by a constant; by its own length, being long would make a wrong answer cheap."""
    return (token_losses * mask).sum() / (len(mask) * longest)
