"""A step for any loss that knows its own batch: forward, backward, clip, update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nextword.train.memory import keep_freed_memory
from nextword.train.optimiser import Optimiser
from nextword.train.step import StepResult


@dataclass(frozen=True)
class Objective:
    """What a batch says: its loss (), its tokens, and what else its metrics show."""

    loss: Tensor
    tokens: int
    facts: Mapping[str, Tensor | float] = field(default_factory=dict)

    def plain(self) -> dict[str, float]:
        """The facts as numbers."""
        return {name: float(value) for name, value in self.facts.items()}


class ObjectiveStep:
    """`objective(batch)` is computed, and the parameters follow its gradient. clip 0 does not clip."""

    def __init__(
        self,
        objective: Callable[[Any], Objective],
        parameters: Sequence[nn.Parameter],
        optimiser: Optimiser,
        clip: float,
    ) -> None:
        self.objective, self.parameters, self.optimiser, self.clip = objective, parameters, optimiser, clip
        if self.parameters[0].device.type == "cpu":
            keep_freed_memory()

    def step(self, batch: Any) -> StepResult:
        """Train on one batch."""
        found = self.objective(batch)
        norm = self.update(found.loss)
        return StepResult(found.loss.detach(), norm, found.tokens, found.plain())

    def update(self, loss: Tensor) -> Tensor:
        """Follow a loss's gradient; its norm before clipping, (). One that is not finite is not followed."""
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip or float("inf"))
        if bool(norm.isfinite()):
            self.optimiser.step()
        self.optimiser.zero_grad()
        return norm
