"""One alignment by preference put together: records, reference, step and loop, and its looks."""

from __future__ import annotations

import copy
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nextword.common.dialogue import read_comparisons, read_rated
from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.common.records import read_records
from nextword.train.assistant import Assistant, fingerprint
from nextword.train.branches import Branch, Tree
from nextword.train.comparisons import Compared, Draws, Judged, Kept, PromptDraws, compared, judged, rated
from nextword.train.curves import Panel, draw_curves
from nextword.train.distributed import Processes
from nextword.train.divergence import divergence
from nextword.train.loop import Loop
from nextword.train.objective import ObjectiveStep
from nextword.train.plain_text import PlainText, plain_text
from nextword.train.preference import WITH_REFERENCE, PreferenceResult, PreferenceSettings
from nextword.train.preference_objective import JudgedBatch, PairBatch, PreferenceObjective
from nextword.train.reference import reference_logprobs
from nextword.train.run_folder import learnt_from
from nextword.train.sequence_logprobs import sequence_logprobs
from nextword.train.stage import Stage, mean_tokens

MEASURED = 256
"""Held-out records, at most, that a look measures."""

PANELS = (
    Panel("Loss", ("loss",), ("loss",)),
    Panel("Accuracy", ("accuracy",), ("accuracy",)),
    Panel("Rewards", ("chosen_reward", "rejected_reward"), ("margin",)),
    Panel("Log-probability of an answer", ("chosen_logprob", "rejected_logprob")),
    Panel("KL of own answers (nats)", (), ("kl",)),
    Panel("Tokens of own answers", (), ("length",)),
)


class PreferenceRun:
    """What stays the same from the first to the last step."""

    def __init__(
        self,
        settings: PreferenceSettings,
        assistant: Path,
        comparisons: Sequence[Path],
        tokens: Path | None,
        out: Path,
        processes: Processes,
    ) -> None:
        self.settings, self.out = settings, out
        self.assistant = Assistant.open(assistant, processes.device)
        self.model = self.assistant.model
        self.reference = copy.deepcopy(self.model).requires_grad_(False)
        self.text = plain_text(tokens, settings, self.assistant)
        self.kept = self._records(comparisons)
        records = [*self.kept.train, *self.kept.held_out]
        trunk, facts = fingerprint(self.reference), learnt_from(assistant, comparisons, tokens)
        self.stage = Stage.begin(settings, out, processes, assistant, trunk, records, **facts)
        self.objective = PreferenceObjective(settings, self.model, self.stage.dtype)

    def train(self, progress: Progress, began: float) -> PreferenceResult:
        """Ask the reference, resume if there is something to resume, train, and take a last look."""
        if told := self.kept.told():
            progress.say(f"{self.settings.method}: {told}")
        self.train_batches = self._batches("train", self.kept.train, self.text)
        self.held_out = self._batches("heldout", self.kept.held_out[:MEASURED])
        before = self._measured() if self.kept.held_out else {}
        loop = self._loop(progress, began)
        self.stage.resume(loop, progress)
        loop.run(progress)
        result = self._result(loop, before)
        self.stage.finish(result)
        return result

    # Parts

    def _records(self, files: Sequence[Path]) -> Kept:
        settings, assistant = self.settings, self.assistant
        place = assistant.chat, assistant.context, settings.held_out
        if settings.method == "kto":
            kept = judged(itertools.chain.from_iterable(map(_rated, files)), *place)
        else:
            kept = compared(itertools.chain.from_iterable(map(read_comparisons, files)), *place)
        if len(kept.train) < (2 if settings.method == "kto" else 1):
            raise BadInput(
                f"no comparison to learn from ({kept.told() or 'none that is not held out'})",
                where=", ".join(map(str, files)),
                do="give comparisons with two different answers",
            )
        return kept

    def _batches(self, split: str, records: Sequence[Any], text: PlainText | None = None) -> RecordBatches:
        """Batches of records, with the reference's word on each where the method asks for it."""
        trees = [record.tree for record in records]
        answers = torch.zeros(sum(len(tree.branches) for tree in trees))
        if self.settings.method in WITH_REFERENCE and trees:
            folder = self.out / "reference" / split
            answers = reference_logprobs(folder, self.reference, trees, self.stage.dtype, "data")
        return RecordBatches(records, answers, self.settings, self.reference, self.stage.dtype, text)

    def _loop(self, progress: Progress, began: float) -> Loop:
        parameters = list(self.model.parameters())
        optimiser = self.stage.optimiser(self.model)
        trainer = ObjectiveStep(self.objective, parameters, optimiser, self.settings.clip)
        records = self.kept.train
        return self.stage.loop(
            self.stage.horizon(self.model.config, self.train_batches.draws.n),
            self.model,
            trainer,
            optimiser,
            self.train_batches,
            config=self.model.config,
            tokens=mean_tokens([record.tree.tokens for record in records], self.train_batches.a_batch),
            write_model=lambda folder: self.assistant.save(self.model, folder),
            look=lambda step, steps: self._look(step, steps, progress),
            began=began,
        )

    # Along the way

    def _look(self, step: int, steps: int, progress: Progress) -> None:
        self.stage.show_model(step)
        facts = self._measured() if self.kept.held_out else {}
        if self.kept.held_out and self.settings.answers:
            facts |= self._divergence()
        if facts:
            self.stage.metrics.append("evaluation", step, **facts)
            shown = (f"{name} {facts[name]:.3f}" for name in ("accuracy", "margin", "kl") if name in facts)
            progress.say(f"after {100 * step / steps:.0f} %, held out: {', '.join(shown)}")
        draw_curves(
            self.stage.metrics, PANELS, self.out / "curves.png", f"Preferring: {self.settings.method}"
        )

    @torch.no_grad()
    def _measured(self) -> dict[str, float]:
        """The objective and its facts over held-out records, weighed by the size of each batch."""
        sums: dict[str, float] = {}
        weights: dict[str, float] = {}
        for batch in self.held_out.once():
            found = self.objective(batch)
            for name, value in {"loss": float(found.loss), **found.plain()}.items():
                sums[name] = sums.get(name, 0.0) + value * len(batch.trees)
                weights[name] = weights.get(name, 0.0) + len(batch.trees)
        return {name: total / weights[name] for name, total in sums.items()}

    def _divergence(self) -> dict[str, float]:
        prompts = list(dict.fromkeys(record.tree.prefix for record in self.kept.held_out))
        found = divergence(
            self.assistant,
            self.model,
            self.reference,
            prompts[: self.settings.answers],
            self.settings.answer_tokens,
            self.settings.seed,
        )
        return {"kl": found.answer, "kl_token": found.token, "length": found.length}

    def _result(self, loop: Loop, before: dict[str, float]) -> PreferenceResult:
        steps = list(self.stage.metrics.lines("step"))
        looks = list(self.stage.metrics.lines("evaluation"))
        last = looks[-1] if looks else {}
        return PreferenceResult(
            model=self.out / "model",
            method=self.settings.method,
            records=len(self.kept.train),
            held_out=len(self.kept.held_out),
            left_out=dict(self.kept.left_out),
            steps=loop.step,
            loss=statistics.fmean(line["loss"] for line in steps[-max(1, len(steps) // 20) :]),
            accuracy_before=before.get("accuracy"),
            accuracy=last.get("accuracy"),
            margin=last.get("margin"),
            kl=last.get("kl"),
            length=last.get("length"),
            seconds=loop.seconds,
        )


class RecordBatches:
    """Records in an order drawn anew each epoch, each with what the reference says of its answers.

    draws: prompts, with all their pairs; kto: answers. a_batch: records of a batch, in the mean.
    reference: (S,) in the records' order. model: asked for answers after other prompts (kto). text: learnt
    beside them.
    """

    def __init__(
        self,
        records: Sequence[Compared | Judged],
        reference: Tensor,
        settings: PreferenceSettings,
        model: Any,
        dtype: torch.dtype | None,
        text: PlainText | None = None,
    ) -> None:
        self.records, self.model, self.dtype, self.text = records, model, dtype, text
        self.answers = reference.view(len(records), -1) if records else reference
        place = settings.batch, settings.seed
        self.draws: Draws
        if settings.method == "kto":  # each answer by itself
            self.draws, self.a_batch = Draws(max(len(records), 1), *place), settings.batch
        else:
            prompts = PromptDraws([record.prompt for record in records], *place)
            self.draws, self.a_batch = prompts, prompts.records

    def next(self) -> PairBatch | JudgedBatch:
        """The next batch."""
        batch = self.of(self.draws.next())
        return replace(batch, text=self.text.next()) if self.text else batch

    def once(self) -> list[PairBatch | JudgedBatch]:
        """All records once, in their order."""
        size = self.draws.batch
        parts = [list(range(n, min(n + size, len(self.records)))) for n in range(0, len(self.records), size)]
        return [self.of(part) for part in parts]

    def of(self, numbers: Sequence[int]) -> PairBatch | JudgedBatch:
        """The batch of these records."""
        records = [self.records[number] for number in numbers]
        trees = [record.tree for record in records]
        answers = self.answers[list(numbers)]
        labels = [record.is_good for record in records if isinstance(record, Judged)]
        if not labels:
            return PairBatch(trees, answers)
        others = mismatched(trees)
        said = torch.tensor(sequence_logprobs(self.model, others, self.dtype))
        return JudgedBatch(trees, torch.tensor(labels), answers[:, 0], others, said)

    def state_dict(self) -> dict[str, Any]:
        """The position, in the text too."""
        text = {"text": self.text.state_dict()} if self.text else {}
        return {**self.draws.state_dict(), **text}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at a position."""
        self.draws.load_state_dict(state)
        if self.text:
            self.text.load_state_dict(state["text"])


def mismatched(trees: Sequence[Tree]) -> list[Tree]:
    """Each prompt with the answer of the one before it, the first with the last's."""
    answers: list[tuple[Branch, ...]] = [trees[-1].branches, *(tree.branches for tree in trees[:-1])]
    return [Tree(tree.prefix, answer) for tree, answer in zip(trees, answers, strict=True)]


def _rated(path: Path) -> Any:
    """Rated answers of a file of them, or of comparisons."""
    first = next(iter(read_records(path)), {})
    if "label" in first:
        return read_rated(path)
    return rated(read_comparisons(path))
