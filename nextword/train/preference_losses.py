"""Losses over preferences, as pure functions of log-probabilities.

Each takes what a model says of whole answers, (B,) sums over their tokens unless it says mean, and gives
(B,) losses; the caller takes the mean. Symbols are the papers': beta, tau, gamma. Conventions where papers
leave a choice are TRL 1.16's, to which `benchmarks/alignment_losses.py` compares values and gradients.

    DPO    Rafailov et al. 2023, eq. 7       IPO    Azar et al. 2023, eq. 17
    KTO    Ethayarajh et al. 2024, eq. 7-8   ORPO   Hong et al. 2024, eq. 4-7
    SimPO  Meng et al. 2024, eq. 6           BT     Bradley & Terry 1952; margin: Touvron et al. 2023, eq. 2

Left out: the dozen variants of DPO that differ in the curve over the same margin.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def dpo(
    chosen: Tensor,
    rejected: Tensor,
    ref_chosen: Tensor,
    ref_rejected: Tensor,
    beta: float,
    smoothing: float = 0.0,
) -> Tensor:
    """-ln sigmoid(beta (chosen's log-ratio - rejected's)): the reward model that a policy implies, fitted.

    smoothing is the share of labels thought to be wrong (conservative DPO, Mitchell 2023).
    """
    return _preferred(beta * ((chosen - ref_chosen) - (rejected - ref_rejected)), smoothing)


def ipo(
    chosen: Tensor,
    rejected: Tensor,
    ref_chosen: Tensor,
    ref_rejected: Tensor,
    chosen_tokens: Tensor,
    rejected_tokens: Tensor,
    beta: float,
) -> Tensor:
    """(margin - 1 / (2 beta))^2: a margin to reach and to stay at, so that sure labels do not drive it on.

    The log-ratios are means over an answer's tokens, which its authors confirm they meant (TRL).
    """
    margin = (chosen - ref_chosen) / chosen_tokens - (rejected - ref_rejected) / rejected_tokens
    return (margin - 1 / (2 * beta)) ** 2


def kto(
    logprobs: Tensor,
    ref_logprobs: Tensor,
    is_good: Tensor,
    kl: Tensor,
    beta: float,
    desirable: float = 1.0,
    undesirable: float = 1.0,
) -> Tensor:
    """1 - sigmoid(+-beta (log-ratio - kl)): answers judged one by one, gains and losses against a usual kl.

    is_good: (B,) bool. kl: (), see `kto_kl`. The weights balance unequal numbers of good and bad answers.
    """
    ratio = beta * (logprobs - ref_logprobs - kl)
    value = torch.where(is_good, ratio, -ratio).sigmoid()
    return torch.where(is_good, desirable, undesirable) * (1 - value)


def kto_kl(mismatched: Tensor, ref_mismatched: Tensor) -> Tensor:
    """The reference point: how far policy and reference are apart on other prompts' answers, at least 0.

    A batch's own answers, each moved on to the next prompt, cost no sampling; no gradient flows through.
    """
    return (mismatched - ref_mismatched).mean().clamp(min=0).detach()


def orpo(chosen_mean: Tensor, rejected_mean: Tensor, beta: float) -> Tensor:
    """-beta ln sigmoid(ln odds(chosen) - ln odds(rejected)), odds(p) = p / (1 - p) of the mean token.

    To be added to the mean -ln p over the chosen conversation's tokens, prompt included: no reference is
    needed since the odds hold the policy where the text is.
    """
    odds = (chosen_mean - rejected_mean) - (_log1mexp(chosen_mean) - _log1mexp(rejected_mean))
    return -beta * F.logsigmoid(odds)


def simpo(
    chosen_mean: Tensor, rejected_mean: Tensor, beta: float, gamma: float, smoothing: float = 0.0
) -> Tensor:
    """-ln sigmoid(beta (mean of chosen - mean of rejected) - gamma): no reference, no reward for length."""
    return _preferred(beta * (chosen_mean - rejected_mean) - gamma, smoothing)


def bradley_terry(
    chosen: Tensor, rejected: Tensor, margin: Tensor | float = 0.0, centre: float = 0.0
) -> Tensor:
    """-ln sigmoid(chosen - rejected - margin) of rewards: the likelihood of what people preferred.

    margin: how much better they found it. centre: weight of (chosen + rejected)^2, which holds the rewards
    around zero, since the first term leaves their sum free (Eisenstein et al. 2023).
    """
    return -F.logsigmoid(chosen - rejected - margin) + centre * (chosen + rejected) ** 2


def _preferred(margin: Tensor, smoothing: float) -> Tensor:
    return -(1 - smoothing) * F.logsigmoid(margin) - smoothing * F.logsigmoid(-margin)


def _log1mexp(x: Tensor) -> Tensor:
    """ln(1 - e^x) for x < 0 without cancellation (Maechler 2012): by expm1 near zero, else by log1p.

    The branch not taken gets a harmless argument, or its infinite gradient would come through as 0 x inf.
    """
    x = x.clamp(max=-torch.finfo(x.dtype).tiny)  # probability 1 has infinite odds
    is_near = x > -math.log(2)
    near = torch.log(-torch.expm1(torch.where(is_near, x, -1.0)))
    return torch.where(is_near, near, torch.log1p(-torch.exp(torch.where(is_near, -1.0, x))))
