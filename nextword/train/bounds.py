"""Bounds of reinforcement learning: past them a policy has found how to be paid without being good.

A gap in the reward is found fast, and nothing in the reward shows it. What shows it is that the policy leaves
the model it began as, or that its answers grow without end or shrink to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from nextword.common.errors import Failure
from nextword.train.policy import PolicySettings


class Hacked(Failure):
    """The policy is out of bounds."""


def check_bounds(settings: PolicySettings, facts: Mapping[str, float], first_length: float) -> None:
    """Hacked when a step's `kl` or `length` is out of bounds. first_length: of the very first answers."""
    length = facts["length"]
    if settings.max_kl and facts.get("kl", 0.0) > settings.max_kl:
        raise _hacked(f"{facts['kl']:.1f} nats an answer from the reference, allowed are {settings.max_kl:g}")
    if settings.max_growth and length > settings.max_growth * first_length:
        raise _hacked(f"answers of {length:.1f} tokens, {first_length:.1f} at first")
    if length < settings.least_length:
        raise _hacked(f"answers of {length:.1f} tokens, at least {settings.least_length:g} are wanted")


def _hacked(what: str) -> Hacked:
    return Hacked(
        f"the reward is being hacked: {what}",
        do="look at the last answers; a larger kl_coef or a lower rate holds it, a better reward cures it",
    )
