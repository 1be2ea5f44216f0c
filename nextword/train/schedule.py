r"""The learning rate over a run: warm-up, constant, decay (WSD: Hu et al. 2024, MiniCPM, section 4).

        1 |    ____________
          |   /            \
          |  /              \
        0 |_/________________\
            warm-up   constant   decay

Against cosine: as good at the end, and until the decay begins nothing depends on the total, so a run can be
made longer from its last constant checkpoint. The decay is linear to zero (Defazio et al. 2023; Bergsma et
al. 2025 found zero better than a tenth).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Steps of warm-up, of decay, and in all."""

    steps: int
    warmup: int
    decay: int

    @staticmethod
    def of(steps: int, warmup: int, decay_fraction: float) -> Schedule:
        """The schedule of a run of `steps`; a short run warms up for a quarter of it at most."""
        warmup = min(warmup, steps // 4)
        return Schedule(steps, warmup, min(round(steps * decay_fraction), steps - warmup))

    @property
    def decay_start(self) -> int:
        """The first step (from 0) of the decay: up to here a checkpoint serves a longer run too."""
        return self.steps - self.decay

    def factor(self, step: int) -> float:
        """What the rates are multiplied by at a step, counted from 0: in (0, 1]."""
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        if step >= self.decay_start:
            return max(self.steps - step, 1) / (self.decay + 1)
        return 1.0
