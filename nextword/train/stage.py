"""A stage after finetuning, put together: the run folder, how long it goes, and the one loop.

    OUT/run.json        settings, commit, versions, data        plan.json     steps and schedule
    OUT/metrics.jsonl   every step, every look                  result.json   how it ended
    OUT/checkpoints/    the last few, to resume from            model/        the newest, to use

Stages differ by what a batch is, what its loss is, and what they look at; all else is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import nn

from nextword.common.errors import BadInput
from nextword.common.files import read_json, write_json
from nextword.common.progress import Progress
from nextword.model.config import ModelConfig
from nextword.train.checkpoints import Checkpoints
from nextword.train.distributed import Processes, joined
from nextword.train.horizon import Horizon
from nextword.train.looks import replace_folder
from nextword.train.loop import Batches, Cost, Loop, Steps
from nextword.train.metrics import Metrics
from nextword.train.optimiser import Optimiser, OptimiserSettings
from nextword.train.peak import peak_flops
from nextword.train.run_folder import LEARNT, RESULT, begin, hash_of
from nextword.train.schedule import Schedule
from nextword.train.stage_settings import FREE, StageSettings

LOOKS = 5
"""Looks, evenly spread, the last step's included."""

FEWEST_TIMED_STEPS = 100
"""The first guess of a run by the clock, which the loop corrects as it goes."""


@contextmanager
def alone(device: str) -> Iterator[Processes]:
    """This process and its device; BadInput under torchrun, which these stages do not know."""
    with joined(device) as processes:
        if processes.world > 1:
            raise BadInput("this stage runs in one process", do="start it without torchrun")
        yield processes


@dataclass(frozen=True)
class Stage:
    """One run folder and what trains in it."""

    settings: StageSettings
    out: Path
    processes: Processes
    metrics: Metrics
    checkpoints: Checkpoints

    @staticmethod
    def begin(
        settings: StageSettings,
        out: Path,
        processes: Processes,
        assistant: Path,
        reference: str,
        records: Iterable[object],
        **facts: Any,
    ) -> Stage:
        """Write run.json, or see that this call continues the run that began here.

        reference: the fingerprint of the weights in `assistant`; records: all that it learns from. BadInput
        when a run began with others.
        """
        earlier = read_json(out / "run.json").get("reference") if (out / "run.json").exists() else None
        if earlier not in (None, reference):
            raise BadInput(
                f"a stale reference: its weights changed since the run in {out} began",
                where=assistant,
                do="restore them, or begin a run in another folder",
            )
        facts = {**facts, "assistant": str(assistant), "reference": reference, LEARNT: hash_of(records)}
        begin(settings, out, FREE, **facts)
        checkpoints = Checkpoints(out / "checkpoints", processes, settings.keep)
        return Stage(settings, out, processes, Metrics(out / "metrics.jsonl"), checkpoints)

    @property
    def dtype(self) -> torch.dtype | None:
        """What the layers work in; None is the weights' own fp32."""
        return torch.bfloat16 if self.settings.precision == "bf16" else None

    def optimiser(self, learner: nn.Module) -> Optimiser:
        """AdamW over all parameters of what learns."""
        own = self.settings
        settings = OptimiserSettings(kind="adamw", vector_rate=own.rate, weight_decay=own.weight_decay)
        precision = cast(Literal["bf16", "fp32"], own.precision)
        return Optimiser(dict(learner.named_parameters()), settings, precision)

    def horizon(self, config: ModelConfig, records: int) -> Horizon:
        """How long to train, decided once and kept."""
        path, settings = self.out / "plan.json", self.settings
        horizon = Horizon.read(path)
        if horizon is None:
            steps = settings.steps or max(1, round(settings.epochs * records / settings.batch))
            is_timed = bool(settings.minutes and not settings.steps)
            steps = max(steps, FEWEST_TIMED_STEPS) if is_timed else steps
            schedule = Schedule.of(steps, settings.warmup, settings.decay)
            seconds = settings.minutes * 60 if is_timed else None
            horizon = Horizon.of(config.num_hidden_layers, schedule, seconds, 0.0, False)
            horizon.write(path)
        return horizon

    def loop(
        self,
        horizon: Horizon,
        learner: nn.Module,
        trainer: Steps,
        optimiser: Optimiser,
        batches: Batches,
        *,
        config: ModelConfig,
        tokens: int,
        write_model: Callable[[Path], None],
        look: Callable[[int, int], None],
        began: float,
    ) -> Loop:
        """The loop, resumed where there is something to resume. tokens: of a step, about."""
        peak = peak_flops(self.processes.device, self.dtype is not None)
        context = min(config.context, 512)
        return Loop(
            learner,
            trainer,
            optimiser,
            batches,
            horizon.schedule,
            cost=Cost(max(tokens, 1), config.flops_per_token(context) * max(tokens, 1), peak),
            metrics=self.metrics,
            checkpoints=self.checkpoints,
            processes=self.processes,
            began=began,
            due=frozenset(horizon.planned * n // LOOKS for n in range(1, LOOKS)) - {0},
            write_model=write_model,
            look=look,
            budget=horizon.seconds,
            settled=lambda schedule: horizon.settled(schedule).write(self.out / "plan.json"),
        )

    def resume(self, loop: Loop, progress: Progress) -> None:
        """Continue from the newest checkpoint, if there is one."""
        newest = self.checkpoints.newest()
        if newest is not None:
            loop.resume(newest)
            progress.say(f"continuing after step {loop.step:,}")

    def show_model(self, step: int) -> None:
        """Make OUT/model the model of a step's checkpoint."""
        replace_folder(self.out / "model", self.checkpoints.path(step) / "model")

    def finish(self, result: Any) -> None:
        """Write result.json: the run is finished."""
        write_json(self.out / RESULT, {**asdict(result), "model": "model"})


def mean_tokens(sizes: Sequence[int], batch: int) -> int:
    """Tokens of a batch, about."""
    return round(sum(sizes) / max(len(sizes), 1) * batch)
