"""What a reward model's verdicts on held-out pairs are worth: accuracy, calibration, and the pull of length.

1. A pair's verdict is p = sigmoid(chosen - rejected); which side was put first means nothing, so its
   confidence is max(p, 1 - p), from a half to one, and it is right when p > 1/2.
2. Expected calibration error (Naeini et al. 2015): pairs are put into bins by confidence, and the gaps
   between the mean confidence and the accuracy of each bin are averaged, weighed by its pairs.
3. Length bias: Pearson's correlation of reward and tokens over all answers tells how much length explains;
   that people's longer answers may really be better is in it too. So beside it stands the accuracy where
   length misleads: on pairs whose longer answer is the rejected one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nextword.common.files import written_atomically

BINS = 10


@dataclass(frozen=True)
class Verdict:
    """Rewards and lengths in tokens of one pair."""

    chosen: float
    rejected: float
    chosen_tokens: int
    rejected_tokens: int


@dataclass(frozen=True)
class Bin:
    """Pairs of about one confidence."""

    confidence: float
    accuracy: float
    pairs: int


@dataclass(frozen=True)
class Calibration:
    """Measures of verdicts; None where no pair tells."""

    accuracy: float
    error: float
    bins: tuple[Bin, ...]
    length_correlation: float | None
    longer_wrong_accuracy: float | None
    mean: float
    spread: float


def calibration(verdicts: Sequence[Verdict]) -> Calibration:
    """All measures of at least one verdict."""
    chosen, rejected = (np.array([getattr(one, side) for one in verdicts]) for side in ("chosen", "rejected"))
    right = _right(chosen - rejected)
    confidence = 1 / (1 + np.exp(-np.abs(chosen - rejected)))
    bins = _binned(confidence, right)
    rewards = np.concatenate([chosen, rejected])
    tokens = np.array([one.chosen_tokens for one in verdicts] + [one.rejected_tokens for one in verdicts])
    misled = np.array([one.rejected_tokens > one.chosen_tokens for one in verdicts])
    return Calibration(
        accuracy=float(right.mean()),
        error=sum(one.pairs * abs(one.confidence - one.accuracy) for one in bins) / len(verdicts),
        bins=tuple(bins),
        length_correlation=_correlation(rewards, tokens),
        longer_wrong_accuracy=float(right[misled].mean()) if misled.any() else None,
        mean=float(rewards.mean()),
        spread=float(rewards.std()),
    )


def draw_calibration(found: Calibration, path: Path) -> None:
    """Confidence against accuracy and each bin's pairs, as a PNG. Needs matplotlib, so imported here."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes, counts = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    axes.plot([0.5, 1], [0.5, 1], color="#9db4d0", linestyle="--", label="as sure as right")
    axes.plot(
        [b.confidence for b in found.bins], [b.accuracy for b in found.bins], color="#1f4e8c", marker="o"
    )
    axes.set(ylabel="accuracy", xlim=(0.48, 1.02), ylim=(0, 1.02))
    axes.set_title(f"{found.accuracy:.0%} right, calibration error {found.error:.3f}")
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)
    counts.bar([b.confidence for b in found.bins], [b.pairs for b in found.bins], width=0.03, color="#c2571a")
    counts.set(xlabel="how sure", ylabel="pairs")
    with written_atomically(path) as file:
        figure.savefig(file, format="png")


def _right(margin: np.ndarray) -> np.ndarray:
    """1 where the chosen side won, a half for a draw."""
    return np.asarray((margin > 0) + (margin == 0) / 2)


def _binned(confidence: np.ndarray, right: np.ndarray) -> list[Bin]:
    place = np.minimum(((confidence - 0.5) * 2 * BINS).astype(int), BINS - 1)
    inside = [place == number for number in range(BINS)]
    return [
        Bin(float(confidence[one].mean()), float(right[one].mean()), int(one.sum()))
        for one in inside
        if one.any()
    ]


def _correlation(rewards: np.ndarray, tokens: np.ndarray) -> float | None:
    """Pearson's; None when either does not vary."""
    if rewards.std() == 0 or tokens.std() == 0:
        return None
    return float(np.corrcoef(rewards, tokens)[0, 1])
