"""How much a machine may decide alone: a curve from its answers on tasks that people have labelled too.

The judge gives each task an answer and a confidence. With the slider at a threshold it decides alone the
tasks of which it is at least that sure. What this costs in quality is measured on blind tasks, of which
people never saw its opinion: how often it agrees with a person, beside how often two people agree with each
other. What it saves is the people's median time for each task it decides, times the overlap.

"Equal quality" is the lowest threshold at which, over all tasks at or above it, the lower end of the 95 %
interval of the judge's agreement with people is not more than `margin` below the people's own agreement: a
test of non-inferiority, so a handful of lucky tasks proves nothing. Without tasks that two people labelled
there is no measure of people, and so no such threshold: None, not a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nextword.label.agreement import wilson

LEAST_PAIRS = 20
"""Fewer pairs with people than this say nothing."""


@dataclass(frozen=True)
class Opinion:
    """The judge's confidence on one task, whether it equals each person's label there (on blind tasks only),
    and whether the judge could decide it now."""

    score: float
    equal: tuple[bool, ...]
    is_open: bool


@dataclass(frozen=True)
class Notch:
    """One position of the slider: what the judge would decide, how well, and what that would save."""

    threshold: float
    decides: int
    agreement: float | None
    low: float
    high: float
    pairs: int
    hours: float


@dataclass(frozen=True)
class Autonomy:
    """The curve, people's own agreement (of how many pairs), and the notch of equal quality, if any."""

    by: str
    notches: tuple[Notch, ...]
    people: float | None
    people_pairs: int
    equal_quality: Notch | None
    margin: float


def autonomy(
    by: str,
    opinions: Sequence[Opinion],
    people: Sequence[bool],
    hours_each: float,
    margin: float = 0.05,
    steps: int = 20,
) -> Autonomy:
    """The curve over thresholds 0 to 1. people: whether each two people's labels on a blind task are equal;
    hours_each: what people need for one task, all of its overlap together."""
    notches = tuple(_notch(opinions, step / steps, hours_each) for step in range(steps + 1))
    agreed = sum(people) / len(people) if people else None
    fits = [
        notch
        for notch in notches
        if agreed is not None and notch.pairs >= LEAST_PAIRS and notch.low >= agreed - margin
    ]
    return Autonomy(by, notches, agreed, len(people), fits[0] if fits else None, margin)


def _notch(opinions: Sequence[Opinion], threshold: float, hours_each: float) -> Notch:
    sure = [opinion for opinion in opinions if opinion.score >= threshold]
    equal = [each for opinion in sure for each in opinion.equal]
    decides = sum(opinion.is_open for opinion in sure)
    low, high = wilson(sum(equal), len(equal))
    share = sum(equal) / len(equal) if equal else None
    return Notch(threshold, decides, share, low, high, len(equal), decides * hours_each)
