"""One pretraining run put together: how far it goes, and the text, model, optimiser and step that go there.

It settles depth and steps (horizon.py keeps the decision), builds the parts from the settings, and hands
them to the loop. What is shown along the way is for looks.py.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.model.config import ModelConfig
from nextword.model.copying_heads import add_copying_heads, fits
from nextword.model.llama import Llama
from nextword.tokenizer import loader
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.checkpoints import Checkpoints
from nextword.train.compiling import Choice, is_compiled
from nextword.train.distributed import Processes, spread
from nextword.train.horizon import Horizon
from nextword.train.looks import Looks
from nextword.train.loop import Cost, Loop
from nextword.train.metrics import Metrics
from nextword.train.optimiser import Optimiser, OptimiserSettings
from nextword.train.peak import peak_flops
from nextword.train.plan import Plan, plan
from nextword.train.pretrain import Look, PretrainResult, PretrainSettings
from nextword.train.run_folder import RESULT
from nextword.train.schedule import Schedule
from nextword.train.step import NextTokenLoss, Precision, TrainingStep
from nextword.train.token_batches import TokenBatches

MEASURED_STEPS = 3
"""Steps that tell a depth's speed, after one that warms up."""


class BaseRun:
    """What stays the same from the first to the last step of a run."""

    def __init__(
        self, settings: PretrainSettings, tokens: Path, tokenizer: Path, out: Path, processes: Processes
    ) -> None:
        self.settings, self.out, self.processes = settings, out, processes
        self.tokenizer = Tokenizer.load(tokenizer)
        self.train_text = Shards.open(tokens, "train", fingerprint=self.tokenizer.fingerprint)
        self.held_out = Shards.open(tokens, "heldout", fingerprint=self.tokenizer.fingerprint)
        self.metrics = Metrics(out / "metrics.jsonl")
        self.checkpoints = Checkpoints(out / "checkpoints", processes, settings.keep)
        self.step_tokens = settings.batch * settings.context
        self.rows = processes.share_of(settings.batch)

    def train(
        self, progress: Progress, on_look: Callable[[Look], None], began: float, longer: bool
    ) -> PretrainResult:
        """Plan, build, resume if there is something to resume, train, and take a last look."""
        horizon, start = self._horizon(progress, longer)
        model, trainer, optimiser = self.built(horizon.depth, self._is_compiled(horizon))
        looks = self._looks(horizon, model, progress, on_look)
        loop = self._loop(horizon, model, trainer, optimiser, looks, began)
        if start is not None:
            loop.resume(start)
            if self.processes.is_first:
                progress.say(f"continuing after step {loop.step:,}")
        loop.run(progress)
        return self._result(horizon, model, loop)

    # The plan

    def _horizon(self, progress: Progress, longer: bool) -> tuple[Horizon, int | None]:
        """How far to go, and from which checkpoint."""
        path = self.out / "plan.json"
        horizon = Horizon.read(path)
        start = self.checkpoints.newest()
        self.processes.wait()  # all have read what stood before the first writes
        if horizon is not None and longer:
            start = self.checkpoints.newest(at_most=horizon.schedule.decay_start)
            if start is None:
                raise BadInput(
                    "has no checkpoint from before the decay", where=self.out, do="begin a new run"
                )
            self.checkpoints.drop_after(start)
            if self.processes.is_first:
                (self.out / RESULT).unlink()  # from here on it is an unfinished run again
            horizon = self._new_horizon(horizon.depth, horizon.warmup)
        elif horizon is None:
            horizon = self._new_horizon(self.settings.depth or None, self.settings.warmup)
            shape = f"depth {horizon.depth}, {horizon.steps:,} steps of {self.step_tokens:,} tokens"
            progress.say(f"pretrain: {shape}" if self.processes.is_first else "")
        if self.processes.is_first:
            horizon.write(path)
        self.processes.wait()
        return horizon, start

    def _new_horizon(self, depth: int | None, warmup: int) -> Horizon:
        settings = self.settings
        if settings.steps and depth:
            chosen, seconds = Plan(depth, settings.steps, 0.0), None
        else:
            seconds = settings.minutes * 60
            chosen = plan(
                seconds,
                self.measured_speed,
                step_tokens=self.step_tokens,
                vocab_size=self.tokenizer.vocab_size,
                corpus_tokens=self.train_text.tokens,
                depth=depth,
            )
        steps = settings.steps or chosen.steps
        schedule = Schedule.of(steps, warmup, settings.decay)
        seconds = None if settings.steps else seconds
        repays = self._repays_compiling(steps, chosen.depth, chosen.tokens_per_second)
        return Horizon.of(chosen.depth, schedule, seconds, chosen.tokens_per_second, repays)

    def measured_speed(self, depth: int) -> float:
        """Tokens a second of the real step at a depth, all processes together."""
        _, trainer, _ = self.built(depth, compile=False)
        batches = self.batches()
        times = []
        for _ in range(MEASURED_STEPS + 1):
            begin = time.perf_counter()
            float(trainer.step(batches.next()).loss)
            times.append(time.perf_counter() - begin)
        return self.processes.agree(self.step_tokens / statistics.median(times[1:]))

    # The parts

    def config(self, depth: int) -> ModelConfig:
        """The shape at a depth, for this tokenizer."""
        settings = self.settings
        shape = ModelConfig.of_depth(depth, self.tokenizer.vocab_size, settings.context, width=settings.width)
        return dataclasses.replace(shape, bos_token_id=self.tokenizer.bos, eos_token_id=self.tokenizer.eos)

    def built(self, depth: int, compile: bool) -> tuple[Llama, TrainingStep, Optimiser]:
        """Model, step and optimiser as this run has them."""
        settings = self.settings
        model = Llama(self.config(depth))
        model.initialise(settings.seed)
        if settings.copying_heads and fits(model.config):
            add_copying_heads(model, settings.seed)
        model.to(self.processes.device)
        module = spread(NextTokenLoss(model), model, self.processes, settings.precision == "bf16")
        precision = cast(Precision, settings.precision)
        optimiser = Optimiser(dict(model.named_parameters()), self._optimiser_settings(), precision)
        trainer = TrainingStep(
            module,
            optimiser,
            precision=precision,
            accumulation=-(-self.rows // (settings.rows_at_once or self.rows)),
            clip=settings.clip,
            compile=compile,
        )
        return model, trainer, optimiser

    def _is_compiled(self, horizon: Horizon) -> bool:
        """As the plan says, so that a resumed run rounds alike; unless the person says on or off."""
        if self.settings.compile == "auto":
            return horizon.is_compiled
        return is_compiled(cast(Choice, self.settings.compile), self.processes.device, 0.0)

    def _repays_compiling(self, steps: int, depth: int, tokens_per_second: float) -> bool:
        """Whether `auto` should compile; an unmeasured speed is taken to be 40 % of the device's peak."""
        if not tokens_per_second:
            peak = peak_flops(self.processes.device, self.settings.precision == "bf16")
            flops = self.config(depth).flops_per_token(self.settings.context)
            tokens_per_second = self.processes.agree(0.4 * peak / flops) * self.processes.world
        return is_compiled("auto", self.processes.device, steps * self.step_tokens / tokens_per_second)

    def _optimiser_settings(self) -> OptimiserSettings:
        own = self.settings
        return OptimiserSettings(
            kind="muon" if own.optimiser == "muon" else "adamw",
            matrix_rate=own.matrix_rate,
            vector_rate=own.vector_rate,
            momentum=own.momentum,
            weight_decay=own.weight_decay,
        )

    def batches(self) -> TokenBatches:
        """This process's batches from the first one on."""
        rows = loader.TokenLoader(
            self.train_text,
            self.rows,
            self.settings.context,
            rank=self.processes.rank,
            world=self.processes.world,
            seed=self.settings.seed,
        )
        return TokenBatches(rows, self.processes.device, self.settings.within_documents)

    def _loop(
        self,
        horizon: Horizon,
        model: Llama,
        trainer: TrainingStep,
        optimiser: Optimiser,
        looks: Looks,
        began: float,
    ) -> Loop:
        last = looks.last_seconds(horizon.tokens_per_second)
        flops = model.config.flops_per_token(self.settings.context) * self.step_tokens
        peak = peak_flops(self.processes.device, self.settings.precision == "bf16")
        return Loop(
            model,
            trainer,
            optimiser,
            self.batches(),
            horizon.schedule,
            cost=Cost(self.step_tokens, flops, peak),
            metrics=self.metrics,
            checkpoints=self.checkpoints,
            processes=self.processes,
            began=began,
            due=horizon.due(),
            write_model=looks.write_model,
            look=looks.look,
            budget=None if horizon.seconds is None else horizon.seconds - last,
            settled=lambda schedule: horizon.settled(schedule).write(self.out / "plan.json"),
        )

    def _looks(
        self, horizon: Horizon, model: Llama, progress: Progress, on_look: Callable[[Look], None]
    ) -> Looks:
        return Looks(
            self.settings,
            model,
            self.tokenizer,
            self.held_out,
            self.out,
            metrics=self.metrics,
            checkpoints=self.checkpoints,
            processes=self.processes,
            marks=horizon.marks(),
            say=progress.say,
            on_look=on_look,
        )

    def _result(self, horizon: Horizon, model: Llama, loop: Loop) -> PretrainResult:
        steps = list(self.metrics.lines("step"))
        last = list(self.metrics.lines("final"))[-1]
        tail = steps[-max(1, len(steps) // 20) :]
        return PretrainResult(
            model=self.out / "model",
            depth=horizon.depth,
            parameters=model.config.num_parameters,
            steps=loop.step,
            tokens=loop.step * self.step_tokens,
            epochs=loop.step * self.step_tokens / self.train_text.tokens,
            loss=statistics.fmean(line["loss"] for line in tail),
            bits_per_byte=last["bits_per_byte"],
            seconds=loop.seconds,
            tokens_per_second=statistics.median(line["tokens_per_second"] for line in steps),
            mfu=_middle([line["mfu"] for line in steps]),
        )


def _middle(shares: list[float | None]) -> float | None:
    """The median MFU; None where one step's was left out: they are all held against the same wrong peak."""
    known = [share for share in shares if share is not None and share <= 1]
    return statistics.median(known) if len(known) == len(shares) else None
