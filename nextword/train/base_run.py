"""One pretraining run put together: text, model, optimiser, step and loop, and the looks along the way."""

from __future__ import annotations

import dataclasses
import os
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.files import folder_written_atomically
from nextword.common.progress import Progress
from nextword.common.terminal import printable
from nextword.evaluate.bits_per_byte import bits_per_byte
from nextword.model.checkpoint import save_checkpoint
from nextword.model.config import ModelConfig
from nextword.model.llama import Llama
from nextword.tokenizer import loader
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.checkpoints import Checkpoints
from nextword.train.compiling import Choice, is_compiled
from nextword.train.distributed import Processes, spread, whole_model
from nextword.train.horizon import Horizon
from nextword.train.loop import Cost, Loop
from nextword.train.metrics import Metrics, draw_loss
from nextword.train.optimiser import Optimiser, OptimiserSettings
from nextword.train.peak import peak_flops
from nextword.train.plan import Plan, plan
from nextword.train.pretrain import RESULT, Look, PretrainResult, PretrainSettings
from nextword.train.samples import dream, keep_sample
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
        self.tokenizer_folder, self.tokenizer = tokenizer, Tokenizer.load(tokenizer)
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
        loop = self._loop(horizon, model, trainer, optimiser, began, progress, on_look)
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
        shape = ModelConfig.of_depth(depth, self.tokenizer.vocab_size, self.settings.context)
        return dataclasses.replace(shape, bos_token_id=self.tokenizer.bos, eos_token_id=self.tokenizer.eos)

    def built(self, depth: int, compile: bool) -> tuple[Llama, TrainingStep, Optimiser]:
        """Model, step and optimiser as this run has them."""
        settings = self.settings
        model = Llama(self.config(depth))
        model.initialise(settings.seed)
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
        began: float,
        progress: Progress,
        on_look: Callable[[Look], None],
    ) -> Loop:
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
            write_model=lambda folder: self._write_model(model, folder),
            look=lambda step, steps: self._look(model, step, steps, horizon, progress, on_look),
            budget=None if horizon.seconds is None else horizon.seconds - self._last_look_seconds(horizon),
            settled=lambda schedule: horizon.settled(schedule).write(self.out / "plan.json"),
        )

    def _last_look_seconds(self, horizon: Horizon) -> float:
        """What the last evaluation will take: half a trained token's time, but windows overlap by half."""
        return min(self.settings.final_tokens, self.held_out.tokens) / (horizon.tokens_per_second or 1)

    # Along the way

    def _write_model(self, model: Llama, folder: Path) -> None:
        whole = whole_model(model, self.processes)
        if self.processes.is_first:
            save_checkpoint(whole, folder, self.tokenizer_folder)

    def _look(
        self,
        model: Llama,
        step: int,
        steps: int,
        horizon: Horizon,
        progress: Progress,
        on_look: Callable[[Look], None],
    ) -> None:
        """Evaluate, dream, draw. The checkpoint of this step is on the disk already."""
        whole = whole_model(model, self.processes)
        if self.processes.is_first:
            _replace(self.out / "model", self.checkpoints.path(step) / "model")
            value = self._evaluated(whole, step)
            if step == steps:
                value = self._evaluated_finally(whole, step)
            percent = 100 if step == steps else horizon.marks().get(step)
            text = ""
            if percent is not None:
                text = self._dreamt(whole, step, percent, progress)
                draw_loss(self.metrics, self.out / "loss.png")
            on_look(Look(step, 100 * step / steps, self.out / "model", value, text))
        self.processes.wait()

    def _evaluated(self, model: Llama, step: int) -> float:
        """A quick look at a few documents, each token seen once: good for the curve."""
        context = self.settings.context
        return self._scored(model, step, "evaluation", self.settings.quick_tokens, stride=context)

    def _evaluated_finally(self, model: Llama, step: int) -> float:
        """The figure to report: windows overlap by half, all documents (or as many as were allowed)."""
        return self._scored(model, step, "final", self.settings.final_tokens, stride=None)

    def _scored(self, model: Llama, step: int, kind: str, tokens: int, stride: int | None) -> float:
        found = bits_per_byte(
            model,
            self.held_out,
            self.settings.context,
            device=self.processes.device,
            stride=stride,
            max_tokens=tokens,
            autocast=torch.bfloat16 if self.settings.precision == "bf16" else None,
        )
        facts = {"tokens": step * self.step_tokens, "bits_per_byte": found.value, "bytes": found.bytes}
        self.metrics.append(kind, step, **facts)
        return found.value

    def _dreamt(self, model: Llama, step: int, percent: int, progress: Progress) -> str:
        settings = self.settings
        reader = engine.wrap(model, self.tokenizer)
        text = dream(reader, settings.prompt, settings.sample_tokens, settings.seed)
        keep_sample(self.out / "samples.jsonl", step, percent, settings.prompt, text)
        progress.say(printable(f"after {percent} %: {settings.prompt}{text}"))
        return text

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
            mfu=statistics.median(line["mfu"] for line in steps),
        )


def _replace(folder: Path, source: Path) -> None:
    """Make `folder` a copy of `source`, atomically and, where the disk can link, without copying."""
    with folder_written_atomically(folder) as part:
        for file in source.iterdir():
            try:
                os.link(file, part / file.name)
            except OSError:
                shutil.copyfile(file, part / file.name)
