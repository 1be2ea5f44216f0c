"""The one training loop. Stages differ by their batches and their loss; what happens around a step is here:

    take a batch, step, is the loss a number?, metrics, progress, a checkpoint when due, and only then
    whatever may crash or take long: evaluation and samples.

Resuming gives the same curve, bit for bit on one CPU process: the checkpoint holds weights, optimiser, data
position and random state, and nothing that is decided by the clock changes the arithmetic, but one thing: in
a run with a time budget the decay begins when the remaining time calls for it, and that decision is kept.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from nextword.common.errors import Failure
from nextword.common.progress import Progress
from nextword.train.checkpoints import Checkpoints
from nextword.train.distributed import Processes
from nextword.train.metrics import Metrics
from nextword.train.optimiser import Optimiser
from nextword.train.peak import possible
from nextword.train.schedule import Schedule
from nextword.train.step import StepResult
from nextword.train.training_state import load_state, save_state

SAVING_SHARE = 0.01
"""Checkpoints by the clock come so seldom that writing them takes at most this share of the time."""

PACES, SHARE_OF_PACES = 15, 16
"""So many steps at least, and that part of all, whose median says how fast it goes: a slow patch of a few
seconds must not call the decay."""
SHORTEST_PAUSE = 30.0
"""Seconds between two checkpoints by the clock, at least."""


class Steps(Protocol):
    """What trains: TrainingStep, or another that understands the stage's batches."""

    def step(self, batch: Any) -> StepResult:
        """Train on one batch."""
        ...


class Batches(Protocol):
    """Where batches come from, and how that is put into a checkpoint."""

    def next(self) -> Any:
        """The next batch of this process."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """The position, as JSON."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at a position."""
        ...


@dataclass(frozen=True)
class Cost:
    """What a step costs: tokens of the global batch, operations, and the peak they are compared with.

    Where batches vary, about: a step that says its tokens is taken at its word.
    """

    tokens: int
    flops: float
    peak: float


@dataclass(frozen=True)
class Moment:
    """A step that was just taken; `step` counts from 1."""

    step: int
    loss: float
    gradient_norm: float
    factor: float
    seconds: float
    tokens: int
    facts: Mapping[str, float]


class Loop:
    """One run's parts. `due` are the steps after which `look` (evaluation, samples) is called."""

    def __init__(
        self,
        model: nn.Module,
        trainer: Steps,
        optimiser: Optimiser,
        batches: Batches,
        schedule: Schedule,
        *,
        cost: Cost,
        metrics: Metrics,
        checkpoints: Checkpoints,
        processes: Processes,
        due: frozenset[int] = frozenset(),
        write_model: Callable[[Path], None] = lambda folder: None,
        look: Callable[[int, int], None] = lambda step, steps: None,
        began: float | None = None,
        budget: float | None = None,
        settled: Callable[[Schedule], None] = lambda schedule: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`look(step, steps)`. began: when the time began to count, as the clock says it.

        budget: seconds in all, if time decides; `settled` is told the schedule once it has decided.
        """
        self.model, self.trainer, self.optimiser, self.batches = model, trainer, optimiser, batches
        self.schedule, self.cost, self.metrics, self.checkpoints = schedule, cost, metrics, checkpoints
        self.processes, self.due, self.write_model, self.look = processes, due, write_model, look
        self.budget, self.settled = budget, settled
        self.step, self.tokens = 0, 0
        self._clock, self._began = clock, clock() if began is None else began
        self._paces: deque[float] = deque(maxlen=max(PACES, schedule.steps // SHARE_OF_PACES))
        self._saved_at, self._pause = 0.0, SHORTEST_PAUSE

    @property
    def seconds(self) -> float:
        """Time spent on this run, evaluation, samples and saving included, and before an interruption too."""
        return self._clock() - self._began

    def run(self, progress: Progress) -> None:
        """Train to the end of the schedule. Failure when the loss or the gradient is not a number."""
        progress.set(self.tokens, total=self._tokens_in_all())
        if self.step == 0 and self.processes.is_first:
            self.metrics.truncate(0)  # of a run that was stopped before its first checkpoint
        while self.step < self.schedule.steps:
            self._settle()
            moment = self._step()
            if self.processes.is_first:
                self._report(moment, progress)
            if self.step in self.due or self.step == self.schedule.steps:
                self.save()
                self.look(self.step, self.schedule.steps)
            elif self.step == self.schedule.decay_start or self._is_time_to_save():
                self.save()

    def resume(self, step: int) -> None:
        """Continue from the checkpoint of a step; what was due after it but may not have happened is done."""
        facts = load_state(self.checkpoints.path(step) / "state", self._tensors(), self.processes)
        self.step = int(facts["step"])
        self._saved_at = float(facts["seconds"])
        self._began -= self._saved_at
        self.tokens = int(facts.get("tokens", self.step * self.cost.tokens))  # older runs did not say
        self.optimiser.set_steps(int(facts.get("updates", self.step)))
        self.batches.load_state_dict(facts["batches"])
        if self.processes.is_first:
            self.metrics.truncate(self.step)
            seen = any(line["step"] == self.step for line in self.metrics.lines("evaluation"))
        else:
            seen = True
        if self.step in self.due and not self.processes.agree(float(seen)):
            self.look(self.step, self.schedule.steps)

    def save(self) -> None:
        """Write a checkpoint; the last one of the constant phase outlives the rotation."""
        begin = self._clock()
        facts = {
            "step": self.step,
            "tokens": self.tokens,
            "updates": self.optimiser.steps,  # a step may take several
            "seconds": self.seconds,
            "batches": self.batches.state_dict(),
        }

        def write(folder: Path) -> None:
            save_state(folder / "state", self._tensors(), facts, self.processes)
            self.write_model(folder / "model")

        self.checkpoints.save(self.step, write, spare=self.schedule.decay_start)
        took = self.processes.agree(self._clock() - begin)
        self._saved_at, self._pause = self.seconds, max(SHORTEST_PAUSE, took / SAVING_SHARE)

    def _step(self) -> Moment:
        begin = self._clock()
        self.optimiser.factor = self.schedule.factor(self.step)
        result = self.trainer.step(self.batches.next())
        loss, norm = float(result.loss), float(result.gradient_norm)  # waits for the device
        took = self._clock() - begin
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise self._diverged(loss, norm)
        tokens = self.cost.tokens if result.tokens is None else result.tokens
        self.step += 1
        self.tokens += tokens
        self._paces.append(took)
        return Moment(self.step, loss, norm, self.optimiser.factor, took, tokens, result.facts)

    def _diverged(self, loss: float, norm: float) -> Failure:
        newest = self.checkpoints.newest()
        safe = f"the checkpoint of step {newest} is intact" if newest else "no checkpoint was written yet"
        return Failure(
            f"training diverged at step {self.step + 1}: loss {loss}, gradient norm {norm}",
            where=self.checkpoints.folder.parent,
            do=f"begin a new run with lower learning rates; {safe}",
        )

    def _settle(self) -> None:
        """With a time budget: begin the decay when the time left is the decay's share of the whole."""
        if self.budget is None or self.step > self.schedule.decay_start or len(self._paces) < 3:
            return
        pace = statistics.median(self._paces)
        left = max(1, int(self.processes.agree((self.budget - self.seconds) / pace)))
        share = self.schedule.decay / self.schedule.steps
        if left <= share * (self.step + left):
            warmup = min(self.schedule.warmup, self.step)
            self.schedule = Schedule(self.step + left, warmup, decay=left)
            self.budget = None
            if self.step not in self.checkpoints.steps():
                self.save()
            if self.processes.is_first:
                self.settled(self.schedule)
        elif self.step == self.schedule.decay_start:  # faster than planned: put the decay off
            steps = self.step + left
            self.schedule = replace(self.schedule, steps=steps, decay=round(share * steps))

    def _is_time_to_save(self) -> bool:
        return self.processes.agree(self.seconds - self._saved_at) > self._pause

    def _report(self, moment: Moment, progress: Progress) -> None:
        speed = moment.tokens / moment.seconds
        flops = self.cost.flops * moment.tokens / self.cost.tokens
        utilisation = possible(flops / moment.seconds / (self.cost.peak * self.processes.world))
        self.metrics.append(
            "step",
            moment.step,
            loss=moment.loss,
            gradient_norm=moment.gradient_norm,
            factor=moment.factor,
            tokens=self.tokens,
            seconds=round(self.seconds, 3),
            tokens_per_second=round(speed),
            mfu=None if utilisation is None else round(utilisation, 4),
            **moment.facts,
        )
        facts = f"loss {moment.loss:.3f}  {speed:,.0f} tokens/s"
        facts += "" if utilisation is None else f"  MFU {utilisation:.0%}"
        progress.set(self.tokens, facts, total=self._tokens_in_all())

    def _tokens_in_all(self) -> int:
        """What will have been trained on at the end, if the steps to come cost what they should."""
        return self.tokens + (self.schedule.steps - self.step) * self.cost.tokens

    def _tensors(self) -> dict[str, Tensor]:
        weights = {f"model.{name}": tensor.detach() for name, tensor in self.model.named_parameters()}
        return weights | self.optimiser.state()
