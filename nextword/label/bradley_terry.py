"""Ratings from pairwise votes: Bradley and Terry's model with Davidson's ties, by maximum likelihood.

A player i has a strength pi_i = exp(beta_i). Of two that meet (Davidson 1970, eq. 2.5)

    i wins   pi_i / D       tie   nu sqrt(pi_i pi_j) / D       D = pi_i + pi_j + nu sqrt(pi_i pi_j)

and nu = 0 is Bradley and Terry (1952). In beta and log(nu) the log-likelihood is a sum of linear terms less
logarithms of sums of exponentials: concave, so Newton's steps find the one maximum.

Complications, and what is done about them

1. Only differences of beta are known: their mean is fixed at 0, and shown as Elo's numbers
   (1000 + 400 / ln 10 * beta), so that 400 points are odds of ten to one.
2. A player who never lost has no finite maximum. A weak prior (`prior`: the precision of a normal around 0,
   as of a hundredth of a vote) keeps it finite and hardly moves anyone else; prior = 0 is the plain maximum.
3. How sure a rating is depends on who met whom. The interval is the bootstrap's: votes are drawn again with
   replacement, the model is fitted again, and the 2.5th and 97.5th percentiles are reported.

"Both are bad" is counted as a tie by the caller. Left out: home advantage (sides are swapped at random and
recorded instead) and Elo's own sequential update, which depends on the order of the votes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextword.common.errors import BadInput

SCALE = 400 / np.log(10)
MIDDLE = 1000.0
PRIOR = 0.01
STEPS = 100

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Vote:
    """Two players met; `outcome` is 1 when the first won, 0 when the second did, 0.5 for a tie."""

    first: str
    second: str
    outcome: float


@dataclass(frozen=True)
class Rating:
    """A player's rating with its 95 % interval, and the votes behind it."""

    name: str
    rating: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True)
class Fit:
    """The maximum: beta of each player (their mean is 0), and nu, the weight of ties."""

    beta: Array
    nu: float

    def chances(self, first: int, second: int) -> tuple[float, float, float]:
        """The probabilities that the first wins, that they tie, and that the second wins."""
        a, b = np.exp(self.beta[first]), np.exp(self.beta[second])
        tie = self.nu * np.sqrt(a * b)
        total = a + b + tie
        return float(a / total), float(tie / total), float(b / total)


def fit(wins: Array, ties: Array, prior: float = PRIOR) -> Fit:
    """Fit the model. wins[i, j]: how often i beat j; ties[i, j] = ties[j, i]: how often they tied; (N, N)."""
    size = len(wins)
    has_ties = bool(ties.any())
    count = size + has_ties
    first, second = np.triu_indices(size, 1)
    met = (wins + wins.T + ties)[first, second] > 0
    first, second = first[met], second[met]
    pairs = np.arange(len(first))
    # (P, 3, count): what beta and log(nu) add to the logarithm of each outcome of each pair
    design = np.zeros((len(first), 3, count))
    design[pairs, 0, first] = design[pairs, 2, second] = 1.0
    design[pairs, 1, first] = design[pairs, 1, second] = 0.5
    seen = np.stack([wins[first, second], ties[first, second], wins[second, first]], axis=1)  # (P, 3)
    if has_ties:
        design[:, 1, size] = 1.0
    else:
        design, seen = design[:, [0, 2]], seen[:, [0, 2]]
    at = _maximum(design, seen, np.eye(count) * prior)
    beta = at[:size] - at[:size].mean()
    return Fit(beta, float(np.exp(at[size])) if has_ties else 0.0)


def _maximum(design: Array, seen: Array, prior: Array) -> Array:
    """Newton's steps, halved where they would overshoot, until nothing moves."""
    at = np.zeros(design.shape[2])
    fixed = prior + 1e-9 * np.eye(len(at))  # the mean of beta is free: keep the matrix invertible
    value = _log_likelihood(design, seen, prior, at)
    for _ in range(STEPS):
        logits = design @ at  # (P, outcomes)
        chance = np.exp(logits - logits.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        total = seen.sum(axis=1, keepdims=True)
        gradient = np.einsum("po,poc->c", seen - total * chance, design) - prior @ at
        mean = np.einsum("po,poc->pc", chance, design)
        spread = np.einsum("po,poc,pod->cd", total * chance, design, design)
        spread -= np.einsum("p,pc,pd->cd", total[:, 0], mean, mean)
        step = np.linalg.solve(spread + fixed, gradient)
        while (new := _log_likelihood(design, seen, prior, at + step)) < value and np.abs(step).max() > 1e-12:
            step /= 2
        at, value = at + step, new
        if np.abs(step).max() < 1e-10:
            break
    return at


def _log_likelihood(design: Array, seen: Array, prior: Array, at: Array) -> float:
    logits = design @ at
    top = logits.max(axis=1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
    return float((seen * logits).sum() - (seen.sum(axis=1) * total).sum() - at @ prior @ at / 2)


def ratings(votes: Sequence[Vote], rounds: int = 200, seed: int = 0, prior: float = PRIOR) -> list[Rating]:
    """Every player's rating, the best first, with a bootstrap interval of `rounds` resamplings.

    Players that no chain of votes connects cannot be compared; BadInput says which.
    """
    names = sorted({name for vote in votes for name in (vote.first, vote.second)})
    if not names:
        return []
    index = {name: at for at, name in enumerate(names)}
    rows = np.array([[index[vote.first], index[vote.second], 2 * vote.outcome] for vote in votes], dtype=int)
    _check_connected(names, rows)
    wins, ties = _tables(rows, len(names))
    middle = MIDDLE + SCALE * fit(wins, ties, prior).beta
    random = np.random.default_rng(seed)
    drawn = [rows[random.integers(len(rows), size=len(rows))] for _ in range(rounds)]
    spread = np.array([SCALE * fit(*_tables(some, len(names)), max(prior, PRIOR)).beta for some in drawn])
    low, high = np.percentile(spread, [2.5, 97.5], axis=0) + MIDDLE if rounds else (middle, middle)
    found = [
        Rating(
            name,
            float(middle[i]),
            float(low[i]),
            float(high[i]),
            int(wins[i].sum()),
            int(wins[:, i].sum()),
            int(ties[i].sum()),
        )
        for i, name in enumerate(names)
    ]
    return sorted(found, key=lambda each: -each.rating)


def _tables(rows: NDArray[np.int_], size: int) -> tuple[Array, Array]:
    """The wins and ties of (first, second, 2 * outcome) rows."""
    wins, ties = np.zeros((size, size)), np.zeros((size, size))
    first, second, outcome = rows.T
    np.add.at(wins, (first[outcome == 2], second[outcome == 2]), 1)
    np.add.at(wins, (second[outcome == 0], first[outcome == 0]), 1)
    np.add.at(ties, (first[outcome == 1], second[outcome == 1]), 1)
    return wins, ties + ties.T


def _check_connected(names: list[str], rows: NDArray[np.int_]) -> None:
    group = list(range(len(names)))
    for first, second, _ in rows:
        one, other = group[first], group[second]
        group = [one if each == other else each for each in group]
    apart = [name for name, each in zip(names, group, strict=True) if each != group[0]]
    if apart:
        raise BadInput(
            f"{', '.join(apart)} never met {names[0]}, not even through others", do="let them meet first"
        )
