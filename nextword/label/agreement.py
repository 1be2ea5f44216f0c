"""How far people agree, beyond what chance would make them agree.

    coefficient           for                                         paper
    share                 any number of people; ignores chance        -
    cohen                 two people, the same units                  Cohen 1960
    fleiss                the same number of people on every unit     Fleiss 1971
    krippendorff          anything: missing labels, any number of     Krippendorff 2011, "Computing
                          people, and scales with an order            Krippendorff's Alpha-Reliability"

All but the first are 1 - (observed disagreement) / (disagreement expected by chance): 1 is perfect, 0 is
chance, below 0 is systematic disagreement. They differ in whose habits make up "chance": each person's own
(Cohen) or everybody's together (Fleiss, Krippendorff; the latter without replacement, so small samples are
not flattered). Where all labels are the same value, chance agrees perfectly too and nothing can be said:
the answer is None, not 1.

Left out: weighted kappa (alpha with an ordinal or interval measure is the same idea) and ratio measures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import combinations
from math import sqrt
from typing import Any, Literal

Measure = Literal["nominal", "ordinal", "interval"]


def share(units: Iterable[Sequence[Hashable]]) -> float | None:
    """The share of pairs of labels on the same unit that are equal; None where no unit has two."""
    pairs = [a == b for unit in units for a, b in combinations(unit, 2)]
    return sum(pairs) / len(pairs) if pairs else None


def cohen(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Cohen's kappa of two people's labels on the same units, in the same order."""
    assert len(first) == len(second), "both people label the same units"
    n = len(first)
    if n == 0:
        return None
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    ours, theirs = Counter(first), Counter(second)
    chance = sum(ours[value] * theirs[value] for value in ours) / n**2
    return None if chance == 1 else (agreed - chance) / (1 - chance)


def fleiss(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Fleiss' kappa; every unit has the same number of labels, at least two."""
    counts = [Counter(unit) for unit in units]
    if not counts:
        return None
    people = counts[0].total()
    assert people >= 2 and all(each.total() == people for each in counts), "as many labels on every unit"
    agreed = sum(sum(n * (n - 1) for n in each.values()) / (people * (people - 1)) for each in counts) / len(
        counts
    )
    total = sum(counts, Counter())
    chance = sum((n / total.total()) ** 2 for n in total.values())
    return None if chance == 1 else (agreed - chance) / (1 - chance)


def krippendorff(units: Iterable[Sequence[Any]], measure: Measure = "nominal") -> float | None:
    """Krippendorff's alpha. A unit is the labels it got; those with fewer than two are left out.

    Values are hashable; for an ordinal or interval measure they are numbers.
    """
    coincidences: Counter[tuple[Any, Any]] = Counter()
    for unit in units:
        if len(unit) < 2:
            continue
        counts = Counter(unit)
        for a in counts:
            for b in counts:
                pairs = counts[a] * (counts[b] - (a == b))
                coincidences[a, b] += pairs / (len(unit) - 1)
    totals: Counter[Any] = Counter()
    for (a, _), weight in coincidences.items():
        totals[a] += weight
    n = totals.total()
    distance = _distance(measure, totals)
    observed = sum(weight * distance(a, b) for (a, b), weight in coincidences.items())
    expected = sum(totals[a] * totals[b] * distance(a, b) for a in totals for b in totals)
    return None if not expected else 1 - (n - 1) * observed / expected


def _distance(measure: Measure, totals: Counter[Any]) -> Callable[[Any, Any], float]:
    """How different two values are, squared: the only thing in which the measures differ."""
    if measure == "nominal":
        return lambda a, b: float(a != b)
    if measure == "interval":
        return lambda a, b: float(a - b) ** 2
    ranks, below = {}, 0.0
    for value in sorted(totals):
        ranks[value] = below + totals[value] / 2  # the middle of the value's place in the ranking
        below += totals[value]
    return lambda a, b: (ranks[a] - ranks[b]) ** 2


def wilson(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (1927); (0, 1) where nothing was counted."""
    if of == 0:
        return 0.0, 1.0
    p = right / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)
