"""One finetuning put together: conversations, model, step and loop, and the looks along the way."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch

from nextword import engine
from nextword.common.dialogue import read_conversations
from nextword.common.errors import BadInput
from nextword.common.language_model import Failed, Request, Sampling, Token
from nextword.common.progress import Progress
from nextword.common.records import Conversation, Message
from nextword.common.terminal import one_line
from nextword.model.fused_loss import IGNORED
from nextword.model.llama import Llama
from nextword.tokenizer import loader
from nextword.tokenizer.chat import ChatTemplate
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.templates import chosen_template, with_template
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.checkpoints import Checkpoints
from nextword.train.distributed import Processes, spread, whole_model
from nextword.train.examples import ExampleBatches, Examples, batch_of, examples_of
from nextword.train.finetune import Answered, FinetuneData, FinetuneResult, FinetuneSettings, facts_of
from nextword.train.horizon import Horizon
from nextword.train.loop import Cost, Loop
from nextword.train.metrics import Metrics, draw_loss
from nextword.train.optimiser import Optimiser
from nextword.train.peak import peak_flops
from nextword.train.run_folder import LEARNT, begin, hash_of
from nextword.train.samples import keep_sample
from nextword.train.schedule import Schedule
from nextword.train.step import Batch, NextTokenLoss, Precision, TrainingStep
from nextword.train.token_batches import TokenBatches
from nextword.train.trainee import Trainee

LONGEST_ROW = 2048
HELD_OUT = 256
"""Held-out conversations, at most, that a look measures."""
MEASURED_STEPS = 3


class FinetuneRun:
    """What stays the same from the first to the last step."""

    def __init__(
        self, settings: FinetuneSettings, base: Path, data: FinetuneData, out: Path, processes: Processes
    ) -> None:
        self.settings, self.base, self.data, self.out = settings, engine.model_folder(base), data, out
        self.processes = processes
        self.tokenizer = Tokenizer.load(self.base)
        template = chosen_template(self.tokenizer, settings.template)
        is_new = template != self.tokenizer.chat_template
        self.tokenizer.config = {**self.tokenizer.config, "chat_template": template}
        self.chat = ChatTemplate(self.tokenizer)
        self.chat.check()
        self.trainee = Trainee.open(settings, self.base, processes)
        self.model = self.trainee.model
        longest = self.model.config.max_position_embeddings
        self.context = settings.context or min(longest, LONGEST_ROW)
        if self.context > longest:
            raise BadInput(f"context is {self.context}", do=f"this model reads at most {longest} tokens")
        self.asked = Conversation([Message("user", settings.prompt)])
        if (length := len(self.chat.ids(self.asked))) >= longest:
            what = f"the prompt takes {length:,} tokens, and this model reads at most {longest:,}"
            raise BadInput(what, do="give a shorter one with --prompt")
        self.examples = self._examples(data.train)
        self.held_out = self._examples(data.heldout).kept[:HELD_OUT] if data.heldout else []
        self.tokenizer_folder = out / "tokenizer" if is_new else self.base
        if processes.is_first:
            self._begin(base, template if is_new else None)
        processes.wait()
        self.metrics = Metrics(out / "metrics.jsonl")
        self.checkpoints = Checkpoints(out / "checkpoints", processes, settings.keep)

    def train(self, progress: Progress, on_look: Callable[[Answered], None], began: float) -> FinetuneResult:
        """Plan, resume if there is something to resume, train, and take a last look."""
        if told := self.examples.told():
            progress.say(f"finetune: {told}")
        if told := self.trainee.told():
            progress.say(f"finetune: {told}")
        before = self.held_out_loss(self.model) if self.held_out else None
        loop = self.loop(progress, on_look, began)
        start = self.checkpoints.newest()
        if start is not None:
            loop.resume(start)
            progress.say(f"continuing after step {loop.step:,}")
        loop.run(progress)
        return self._result(loop, before)

    def loop(self, progress: Progress, on_look: Callable[[Answered], None], began: float) -> Loop:
        """The loop before its first step: what learns, how, and how long."""
        settings = self.settings
        module = NextTokenLoss(self.model, only_scored=True)
        precision = cast(Precision, settings.precision)
        wrapped = spread(module, self.model, self.processes, settings.precision == "bf16")
        optimiser = self.trainee.optimiser()
        rows = self.processes.share_of(settings.batch)
        trainer = TrainingStep(
            wrapped,
            optimiser,
            precision=precision,
            accumulation=-(-rows // (settings.rows_at_once or rows)),
            clip=settings.clip,
        )
        horizon = self._horizon(trainer, optimiser)
        tokens = settings.batch * self.context
        flops = self.model.config.flops_per_token(self.context) * tokens
        flops *= 2 / 3 if settings.lora else 1  # frozen weights take no gradient of their own
        peak = peak_flops(self.processes.device, settings.precision == "bf16")
        return Loop(
            self.trainee.part,
            trainer,
            optimiser,
            self.batches(),
            horizon.schedule,
            cost=Cost(tokens, flops, peak),
            metrics=self.metrics,
            checkpoints=self.checkpoints,
            processes=self.processes,
            began=began,
            due=frozenset(horizon.planned * quarter // 4 for quarter in (1, 2, 3)),
            write_model=self._write_model,
            look=lambda step, steps: self._look(step, steps, progress, on_look),
            budget=horizon.seconds,
            settled=lambda schedule: horizon.settled(schedule).write(self.out / "plan.json"),
        )

    def batches(self) -> Batches:
        """This process's batches from the first one on."""
        settings, processes = self.settings, self.processes
        replayed = round(settings.batch * settings.replay)
        place: dict[str, Any] = {"rank": processes.rank, "world": processes.world, "seed": settings.seed}
        examples = ExampleBatches(
            self.examples.kept,
            settings.batch - replayed,
            self.context,
            pad=self.tokenizer.pad or 0,
            device=processes.device,
            **place,
        )
        if not replayed:
            return Batches(examples, None)
        if self.data.tokens is None:
            raise BadInput("replay needs plain text", do="name the token shards with --tokens RUN/tokens")
        text = Shards.open(self.data.tokens, "train", fingerprint=self.tokenizer.fingerprint)
        rows = loader.TokenLoader(text, processes.share_of(replayed), self.context, **place)
        return Batches(examples, TokenBatches(rows, processes.device, within_documents=True))

    def held_out_loss(self, model: Llama) -> float:
        """Mean -ln p of the learnt tokens of held-out conversations."""
        loss, total, scored = NextTokenLoss(model, only_scored=True), 0.0, 0
        dtype = torch.bfloat16 if self.settings.precision == "bf16" else None
        with torch.no_grad():
            for start in range(0, len(self.held_out), self.settings.batch):
                rows = [[example] for example in self.held_out[start : start + self.settings.batch]]
                batch = _trimmed(batch_of(rows, self.context, pad=0)).to(self.processes.device)
                total += float(loss(batch.inputs, batch.targets, None, dtype))
                scored += int((batch.targets != IGNORED).sum())
        return total / max(scored, 1)

    # Parts

    def _begin(self, base: Path, template: str | None) -> None:
        """Write run.json, or see that this call continues the run that began here; then a new template."""
        begin(self.settings, self.out, **facts_of(base, self.data), **{LEARNT: hash_of(self.examples.kept)})
        if template is not None:
            with_template(self.base, template, self.tokenizer_folder)

    def _examples(self, files: Sequence[Path]) -> Examples:
        found = examples_of(
            (one for file in files for one in read_conversations(file)), self.chat, self.context
        )
        if not found.kept:
            raise BadInput(
                f"no conversation to learn from ({found.told() or 'the file is empty'})",
                where=", ".join(map(str, files)),
                do="give conversations with answers of the assistant",
            )
        return found

    def _horizon(self, trainer: TrainingStep, optimiser: Optimiser) -> Horizon:
        """How long to train, decided once and kept."""
        path, settings = self.out / "plan.json", self.settings
        horizon = Horizon.read(path)
        self.processes.wait()
        if horizon is None:
            steps, speed = settings.steps, 0.0
            if not steps and settings.minutes:
                speed = self._measured_speed()
                steps = max(4, int(settings.minutes * 60 * speed / (settings.batch * self.context)))
            elif not steps:
                rows = self.batches().examples.rows_an_epoch * settings.epochs
                steps = max(1, round(rows / (settings.batch * (1 - settings.replay))))
            seconds = settings.minutes * 60 if settings.minutes and not settings.steps else None
            schedule = Schedule.of(steps, settings.warmup, settings.decay)
            horizon = Horizon.of(self.model.config.num_hidden_layers, schedule, seconds, speed, False)
        if self.processes.is_first:
            horizon.write(path)
        self.processes.wait()
        return horizon

    def _measured_speed(self) -> float:
        """Tokens a second of the real step, on a copy that is thrown away."""
        trainee = Trainee.open(self.settings, self.base, self.processes)
        model, optimiser = trainee.model, trainee.optimiser()
        precision = cast(Precision, self.settings.precision)
        module = spread(
            NextTokenLoss(model, only_scored=True), model, self.processes, self.settings.precision == "bf16"
        )
        trainer, batches = TrainingStep(module, optimiser, precision=precision), self.batches()
        times = []
        for _ in range(MEASURED_STEPS + 1):
            begin = time.perf_counter()
            float(trainer.step(batches.next()).loss)
            times.append(time.perf_counter() - begin)
        tokens = self.settings.batch * self.context
        return self.processes.agree(tokens / statistics.median(times[1:]))

    # Along the way

    def _write_model(self, folder: Path) -> None:
        whole = whole_model(self.model, self.processes)
        if self.processes.is_first:
            self.trainee.write(whole, folder, self.tokenizer_folder, self._ends())

    def _ends(self) -> tuple[int, ...]:
        """The tokens that end an answer."""
        return tuple(sorted({*self.chat.stop_ids, *filter(None, [self.tokenizer.eos])}))

    def _look(self, step: int, steps: int, progress: Progress, on_look: Callable[[Answered], None]) -> None:
        whole = whole_model(self.model, self.processes)
        if self.processes.is_first:
            self.trainee.show(self.checkpoints.path(step), self.out, self.tokenizer_folder, self._ends())
            loss = self.held_out_loss(whole) if self.held_out else None
            if loss is not None:
                self.metrics.append(
                    "evaluation", step, tokens=step * self.settings.batch * self.context, heldout_loss=loss
                )
            answer = self._answer(whole)
            percent = 100 * step / steps
            keep_sample(self.out / "samples.jsonl", step, percent, self.settings.prompt, answer)
            width = progress.console.width
            asked = one_line(self.settings.prompt, width // 3)
            progress.say(one_line(f"after {percent:.0f} %: {asked} -> {answer}", width))
            draw_loss(self.metrics, self.out / "loss.png", title="Learning to answer")
            on_look(Answered(step, percent, self.out / "model", loss, answer))
        self.processes.wait()

    def _answer(self, model: Llama) -> str:
        reader = engine.wrap(model, self.tokenizer)
        sampling = Sampling(temperature=0.0, max_new_tokens=self.settings.sample_tokens)
        pieces = []
        for event in reader.generate([Request(self.asked, sampling)]):
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Token):
                pieces.append(event.text)
        return "".join(pieces)

    def _result(self, loop: Loop, before: float | None) -> FinetuneResult:
        steps = list(self.metrics.lines("step"))
        looks = list(self.metrics.lines("evaluation"))
        tail = steps[-max(1, len(steps) // 20) :]
        rows = loop.step * self.settings.batch * (1 - self.settings.replay)
        return FinetuneResult(
            model=self.out / "model",
            conversations=len(self.examples.kept),
            left_out=dict(self.examples.left_out),
            steps=loop.step,
            epochs=rows / self.batches().examples.rows_an_epoch,
            loss=statistics.fmean(line["loss"] for line in tail),
            heldout_before=before,
            heldout_after=looks[-1]["heldout_loss"] if looks else None,
            seconds=loop.seconds,
        )


@dataclasses.dataclass
class Batches:
    """Conversations, and perhaps rows of plain text beside them."""

    examples: ExampleBatches
    text: TokenBatches | None

    def next(self) -> Batch:
        """The next batch of this process."""
        batch = self.examples.next()
        if self.text is None:
            return batch
        plain = self.text.next()
        assert batch.documents is not None and plain.documents is not None
        return Batch(
            torch.cat([batch.inputs, plain.inputs]),
            torch.cat([batch.targets, plain.targets]),
            torch.cat([batch.documents, plain.documents]),
        )

    def state_dict(self) -> dict[str, Any]:
        """Both positions."""
        text = {} if self.text is None else {"text": self.text.state_dict()}
        return {"examples": self.examples.state_dict(), **text}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at both positions."""
        self.examples.load_state_dict(state["examples"])
        if self.text is not None:
            self.text.load_state_dict(state["text"])


def _trimmed(batch: Batch) -> Batch:
    """Without the columns that only pad."""
    assert batch.documents is not None
    end = int((batch.documents >= 0).any(0).nonzero().max()) + 1
    return Batch(batch.inputs[:, :end], batch.targets[:, :end])
