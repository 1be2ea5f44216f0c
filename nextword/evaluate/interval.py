"""A mean and how sure it is: bootstrap percentiles (Efron 1979), drawn by groups.

Questions that hang together are drawn together: both languages of one function, or all questions about one
page, are right or wrong for one reason, and resampling them one by one would make the interval too narrow
(the cluster bootstrap; Cameron, Gelbach and Miller 2008). Two stages that answered the same questions are
compared question by question, since the difference of two means is far surer than either of them.

None of twenty right does not mean that nothing is ever right, but resampling twenty zeros gives nothing else.
Where all values are 0 or all are 1, `share` takes the exact binomial end instead (Clopper and Pearson 1934).

Left out: BCa and studentised intervals. With hundreds of questions they move the ends by less than the
choice of the questions does.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
OUTSIDE = 0.05
"""What lies outside an interval."""
AT_ONCE = 1 << 22
"""Drawn numbers held in memory together (32 MiB)."""


@dataclass(frozen=True)
class Interval:
    """A mean, its 95 % interval and of how many values it is; all zero for none."""

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        """As a person reads a share, in percent."""
        return f"{self.mean:.1%} ({self.low:.1%} to {self.high:.1%}, n = {self.count:,})"


def interval(
    values: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval:
    """Mean of the values with its 95 % interval; values of one group are drawn together."""
    if not len(values):
        return Interval(0.0, 0.0, 0.0, 0)
    numbers = np.asarray(values, np.float64)
    members: dict[Hashable, int] = {}
    order = [members.setdefault(group, len(members)) for group in groups or range(len(values))]
    sums = np.bincount(order, numbers, len(members))
    sizes = np.bincount(order, minlength=len(members))
    draw, means = np.random.default_rng(seed), []
    step = max(1, AT_ONCE // len(members))
    for start in range(0, resamples, step):
        drawn = draw.integers(0, len(members), (min(step, resamples - start), len(members)))
        means.append(sums[drawn].sum(1) / sizes[drawn].sum(1))
    low, high = np.percentile(np.concatenate(means), (50 * OUTSIDE, 100 - 50 * OUTSIDE))
    return Interval(float(numbers.mean()), float(low), float(high), len(values))


def share(values: Sequence[float], groups: Sequence[Hashable] | None = None, seed: int = 0) -> Interval:
    """`interval` of values between 0 and 1, with honest ends where all are 0 or all are 1.

    >>> share([0.0] * 20).high < 0.17, share([1.0] * 20).low > 0.83
    (True, True)
    """
    if len(values) and (not any(values) or all(value == 1.0 for value in values)):
        free = 1 - (OUTSIDE / 2) ** (1 / len(set(groups) if groups else values))
        low, high = (0.0, free) if not values[0] else (1 - free, 1.0)
        return Interval(float(values[0]), low, high, len(values))
    return interval(values, groups, seed)


def change(
    before: Sequence[float], after: Sequence[float], groups: Sequence[Hashable] | None = None, seed: int = 0
) -> Interval:
    """How much the mean has grown from `before` to `after`, whose values belong together one by one."""
    return interval([new - old for old, new in zip(before, after, strict=True)], groups, seed)
