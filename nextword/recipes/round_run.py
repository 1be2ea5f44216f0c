"""One round at work: its steps, each of which writes its file once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from nextword.common.dialogue import read_conversations, write_conversations
from nextword.common.errors import BadInput
from nextword.common.files import read_json, sha256, write_json
from nextword.common.progress import Progress
from nextword.common.records import Conversation, read_records
from nextword.data.questions import Question, read_questions
from nextword.evaluate.card_page import write_card
from nextword.evaluate.exam import Marked, read_answers, write_answers
from nextword.evaluate.examination import card_of
from nextword.evaluate.stages import Paper, sit, stages_of
from nextword.recipes import gate
from nextword.recipes.gate import Decision
from nextword.recipes.lineage import Corrections, DataFile, Lineage, former_files, weights_of, writers
from nextword.recipes.promotion import assistant_of, name_of, promote
from nextword.recipes.round_data import mixture, shown, taken
from nextword.recipes.round_flags import FlagBox
from nextword.recipes.round_papers import Papers, papers_for
from nextword.recipes.round_settings import DECISION, PROMOTED, VERSION, RoundFiles, RoundSettings
from nextword.train.finetune import FinetuneData, FinetuneResult, FinetuneSettings, finetune

NAME = "corrections"
"""The dataset's name in the labels' database."""
MIXED, APART = "mixture.json", "apart.jsonl"
SEED = ("seed", "questions.heldout.jsonl")
"""Where a run keeps its held-out questions."""

Answered = dict[str, list[Marked]]
"""One assistant's marked answers, by task."""


@dataclass(frozen=True)
class Outcome:
    """How a round ended. is_used: its assistant is the one in use now; is_repeated: it was decided before."""

    folder: Path
    decision: Decision
    is_used: bool
    is_repeated: bool = False

    @property
    def number(self) -> int:
        """The round's number."""
        return int(self.folder.name)


class RoundRun:
    """The steps of one round's folder. `version` comes first, `ended` does all the rest."""

    def __init__(
        self,
        settings: RoundSettings,
        run: Path,
        folder: Path,
        files: RoundFiles,
        parent: Path,
        clock: Callable[[], datetime],
        say: Callable[[str], None],
    ) -> None:
        self.settings, self.run, self.folder, self.files = settings, run, folder, files
        self.parent, self.clock, self.say = parent, clock, say
        self.stage, self._learnt = folder / "finetuned", folder / "mixture.jsonl"
        self._start = parent if settings.start == "assistant" else run / "base"

    def ended(self, is_dry: bool) -> Outcome:
        """Do what is left to do; promote what may be promoted, unless it is a dry run."""
        decision = self.decision()
        if decision.is_promoted and not is_dry and not (self.folder / PROMOTED).exists():
            promote(self.run, self.stage, self.parent)
            at = self.clock().isoformat(timespec="seconds")
            write_json(self.folder / PROMOTED, {"at": at, "instead_of": name_of(self.run, self.parent)})
        is_used = assistant_of(self.run) == self.stage.resolve()
        return Outcome(self.folder, decision, is_used)

    # The steps

    @cached_property
    def version(self) -> Corrections:
        """The version of the corrections: the next one, where something has been corrected since the last."""
        path = self.folder / VERSION
        if not path.exists():
            write_json(path, asdict(self._cut()))
        return Corrections(**read_json(path))

    def decision(self) -> Decision:
        """Learn, ask both, and let the gate decide."""
        path = self.folder / DECISION
        if not path.exists():
            used = self._used()
            which = f"corrections version {self.version.version}: {len(used):,} of {self.version.records:,}"
            self.say(f"{which}; sets out from {name_of(self.run, self._start)}")
            mixed = self._mixed(used)
            papers = self._papers(used)
            self._answers("before", self.parent, papers)  # first, as it may find that something is missing
            trained = self._train(used)
            self._lineage(mixed).write(self.folder)
            write_json(path, self._decide(papers, trained, used).record)
        return Decision.of(read_json(path))

    def _cut(self) -> Corrections:
        files, path = self.files, self.folder / "corrections.jsonl"
        with FlagBox.open(files.labels, files.project, self.clock) as box:
            flags = box.office.flags.raised(box.actor, box.project)
            if not any(flag.is_mended for flag in flags):
                what = f"no correction yet ({len(flags)} flags wait)" if flags else "nothing has been flagged"
                do = (
                    "correct them in the label queue"
                    if flags
                    else "`/flag` in a chat, `evaluate --flag-wrong`"
                )
                raise BadInput(what, where=files.labels, do=do)
            made = box.office.datasets.cut(box.actor, box.project, NAME, "conversations", path, ("flag",))
        found = list(read_conversations(path))
        return Corrections(
            name=made.name,
            version=made.version,
            parent_version=made.version - 1 if made.parent else 0,
            sha256=made.sha256,
            records=made.records,
            added=made.added,
            removed=made.removed,
            taken=len(taken(found, self.settings.without, self.settings.reviewed)),
            by=writers(found),
            database=files.labels,
            project=files.project,
        )

    def _used(self) -> list[Conversation]:
        found = read_conversations(self.folder / "corrections.jsonl")
        return taken(found, self.settings.without, self.settings.reviewed)

    def _mixed(self, used: list[Conversation]) -> dict[str, Any]:
        """What is learnt, and what is set apart; the facts of both."""
        settings, path = self.settings, self.folder / MIXED
        if not path.exists():
            former = list(self.files.former) or former_files(self.parent)
            made = mixture(used, former, settings.repeats, settings.former, settings.apart, settings.seed)
            write_conversations(self._learnt, made.conversations)
            write_conversations(self.folder / APART, made.apart)
            sources = [
                DataFile(str(file), sha256(file), sum(1 for _ in read_records(file))) for file in former
            ]
            facts = {**made.facts, "sha256": sha256(self._learnt)}
            write_json(path, {"mixture": facts, "former": [asdict(one) for one in sources]})
        found: dict[str, Any] = read_json(path)
        return found

    def _papers(self, used: list[Conversation]) -> Papers:
        apart = list(read_conversations(self.folder / APART))
        return papers_for(used, apart, self._questions(), self.files.canaries, self.settings.most)

    def _questions(self) -> list[Question]:
        own = self.run.joinpath(*SEED)
        path = self.files.questions or (own if own.is_file() else None)
        return list(read_questions(path)) if path else []

    def _train(self, used: list[Conversation]) -> FinetuneResult:
        settings = self.settings
        chosen = FinetuneSettings(
            epochs=settings.epochs,
            batch=settings.batch,
            matrix_rate=settings.matrix_rate,
            vector_rate=settings.vector_rate,
            replay=settings.replay,
            precision=settings.precision,
            device=settings.device,
            seed=settings.seed,
            prompt=shown(used[0]) or "Hello",
        )
        tokens = self.run / "tokens" if settings.replay else None
        return finetune(chosen, self._start, FinetuneData((self._learnt,), tokens=tokens), self.stage)

    def _answers(self, name: str, stage: Path, papers: Papers) -> Answered:
        """An assistant's answers to every task, asked once."""
        path = self.folder / f"{name}.answers.jsonl"
        if not path.exists():
            (opened,) = stages_of([f"{name}={stage}"], self.settings.device)
            with Progress(f"ask {name}", unit="answers") as progress:
                sat = sit(opened, papers.every, 0, progress)
            write_answers(path, [_of_task(one, paper.task) for paper in sat for one in paper.results])
        found: Answered = defaultdict(list)
        for one in read_answers(path):
            found[one.of("task")].append(one)
        return found

    def _bits(self, name: str, stage: Path) -> float | None:
        """Bits per byte of held-out documents, where the run has any."""
        tokens, path = self.run / "tokens", self.folder / f"{name}.bits.json"
        if not tokens.is_dir():
            return None
        if not path.exists():
            from nextword.evaluate.forgetting import held_out_bits  # torch

            device = "cpu" if self.settings.device == "auto" else self.settings.device
            bits = held_out_bits(stage, tokens, self.settings.max_tokens or None, device)
            write_json(path, {"bits_per_byte": bits.value, "bytes": bits.bytes})
        return float(read_json(path)["bits_per_byte"])

    def _decide(self, papers: Papers, trained: FinetuneResult, used: list[Conversation]) -> Decision:
        before, after = (
            self._answers("before", self.parent, papers),
            self._answers("after", self.stage, papers),
        )
        bits = (self._bits("before", self.parent), self._bits("after", self.stage))
        measured = (bits[0], bits[1]) if bits[0] is not None and bits[1] is not None else None
        self._write_card(papers, {"before": before, "after": after}, measured)

        def sat(name: str) -> gate.Sat:
            return before.get(name, []), after.get(name, [])

        other = papers.other.name
        return gate.decide(
            sat(papers.corrected.name),
            {task.name: sat(task.name) for task in papers.gated},
            sat(papers.canaries.name),
            measured,
            self.settings.limits,
            {other: sat(other)} if before.get(other) else {},
            self._notes(papers, trained, used),
        )

    def _notes(self, papers: Papers, trained: FinetuneResult, used: list[Conversation]) -> list[str]:
        notes = ["corrections by " + ", ".join(f"{who} ({count})" for who, count in writers(used).items())]
        if wrong := papers.corrected.contradicting:
            by = ", ".join(f"{who} ({count})" for who, count in writers(wrong).items())
            notes.append(f"{len(wrong)} of {len(used)} corrections contradict the documentation: by {by}")
        notes += [f"not learnt: {count:,} {reason}" for reason, count in trained.left_out.items()]
        return notes

    def _write_card(
        self, papers: Papers, answers: dict[str, Answered], bits: tuple[float, float] | None
    ) -> None:
        sittings = {
            name: [Paper(task, results) for task, results in found.items()] for name, found in answers.items()
        }
        measured = dict(zip(answers, bits, strict=True)) if bits else {}
        title, made = f"{self.run.name}, round {int(self.folder.name)}", f"{self.clock():%Y-%m-%d}"
        card = card_of(sittings, papers.every, measured, title=title, made=made)
        write_card(self.folder / "card.html", card)

    def _lineage(self, mixed: dict[str, Any]) -> Lineage:
        return Lineage(
            model=name_of(self.run, self.stage),
            weights=weights_of(self.stage),
            parent=name_of(self.run, self._start),
            parent_weights=weights_of(self._start),
            round=int(self.folder.name),
            corrections=self.version,
            former=[DataFile(**each) for each in mixed["former"]],
            mixture=mixed["mixture"],
            made=self.clock().isoformat(timespec="seconds"),
        )


def _of_task(one: Marked, task: str) -> Marked:
    return replace(one, conversation=replace(one.conversation, meta={**one.conversation.meta, "task": task}))
