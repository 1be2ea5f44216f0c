"""A judge: a machine that answers comparisons and ratings before people do, and may decide some alone.

    office.judges.prelabel(owner, project, judge)              its answers become suggestions with scores
    office.judges.autonomy(owner, project, judge.name)         what each position of the slider would mean
    office.judges.set_autonomy(owner, project, name, 0.9)      decide alone where it is at least that sure

A share of the tasks (`blind_share` of the project, chosen by hash) is never decided by it and never shows its
opinion, so that people's labels there measure it honestly. What it decided says "machine", with the judge's
name and confidence, wherever it goes; moving the slider up takes decisions back, unless they have been
exported. The judge itself is any callable; model_judge.py makes one of a language model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.label.autonomy import Autonomy, Opinion, autonomy
from nextword.label.database import Change, Database
from nextword.label.figures import median, seconds_by_kind
from nextword.label.item import is_blind
from nextword.label.kinds import Json, kind_named, value
from nextword.label.outcome import decide
from nextword.label.people import add
from nextword.label.person import Person
from nextword.label.project import ProjectSettings, project_row, settings_of
from nextword.label.refusals import Conflict
from nextword.label.schema import (
    AuditRow,
    DatasetRecordRow,
    DecisionRow,
    LabelRow,
    PersonRow,
    SuggestionRow,
    TaskRow,
)
from nextword.label.tasks import task_row

JUDGED = ("compare", "rate")


@dataclass(frozen=True)
class Question:
    """What the judge is asked: a task's kind, prompt and material as stored, without who made the answers."""

    kind: str
    prompt: list[Json]
    material: Json


@dataclass(frozen=True)
class Judgement:
    """What it answers, as a labeller would (`choice`, `ranks` or `ratings`), and how sure it is, 0 to 1."""

    answer: Json
    score: float


Judge = Callable[[Question], Judgement | None]
"""None: it has no opinion."""


@dataclass(frozen=True)
class Moved:
    """What moving the slider did: decided now, taken back, and kept because they were exported already."""

    decided: int
    taken_back: int
    kept: int


@dataclass(frozen=True)
class Alone:
    """A task that a machine decided alone."""

    task: int
    kind: str
    answer: Json
    score: float
    at: datetime


@dataclass(frozen=True)
class Opined:
    """A machine that has answered tasks: how many, how many it decided alone, and where its slider stands."""

    name: str
    suggestions: int
    decided: int
    threshold: float | None


class Judges:
    """Asking machines, measuring them, and letting them decide."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def prelabel(
        self, actor: Person, project: int, name: str, judge: Judge, progress: Progress | None = None
    ) -> int:
        """Let the judge answer every comparison and rating it has not seen; returns how many it answered."""
        actor.must("owner", "let a machine judge")
        answered, after = 0, 0
        while batch := self._unseen(project, name, after):
            after = batch[-1][0]
            opinions = [(task, judge(question)) for task, question in batch]  # slow: outside the transaction
            with self.database.write(actor) as change:
                project_row(change.session, project, is_locked=True)
                answered += sum(_suggest(change, name, task, said) for task, said in opinions if said)
                change.note("prelabel", f"project {project}", by=name, tasks=len(opinions))
            if progress:
                progress.advance(len(batch))
        return answered

    def autonomy(self, actor: Person, project: int, name: str, margin: float = 0.05) -> Autonomy:
        """What each position of the judge's slider would mean."""
        actor.must("reviewer", "see how machines judge")
        with self.database.read() as session:
            settings = settings_of(project_row(session, project))
            took = seconds_by_kind(session, project)
            each = median([seconds for kind in JUDGED for seconds in took.get(kind, ())])
            opinions, people = _measured(session, settings, project, name)
        return autonomy(name, opinions, people, each * settings.overlap / 3600, margin)

    def set_autonomy(self, actor: Person, project: int, name: str, threshold: float | None) -> Moved:
        """Let the judge decide alone where it is at least this sure; None takes back all it decided."""
        actor.must("owner", "let a machine decide")
        if threshold is not None and not 0 <= threshold <= 1:
            raise BadInput(f"a threshold of {threshold}, expected 0 to 1")
        with self.database.write(actor) as change:
            settings = settings_of(project_row(change.session, project, is_locked=True))
            machine = _machine(change, name)
            taken_back, kept = _take_back(change, project, machine, threshold)
            decided = 0
            if threshold is not None:
                for task, said in _sure(change.session, project, name, threshold):
                    decided += _decide(change, settings, task, said, machine)
            facts = {"by": name, "threshold": threshold, "decided": decided, "taken_back": taken_back}
            change.note("set autonomy", f"project {project}", **facts)
            return Moved(decided, taken_back, kept)

    def decided_alone(self, actor: Person, project: int, name: str = "") -> list[Alone]:
        """What machines (or one of them) decided alone, the least sure first."""
        actor.must("reviewer", "see what machines decided")
        wanted = (
            select(TaskRow, DecisionRow)
            .join(DecisionRow, DecisionRow.task_id == TaskRow.id)
            .join(PersonRow, PersonRow.id == DecisionRow.person_id)
            .where(TaskRow.project_id == project, DecisionRow.method == "machine")
            .order_by(DecisionRow.score, TaskRow.id)
        )
        wanted = wanted.where(PersonRow.name == name) if name else wanted
        with self.database.read() as session:
            return [
                Alone(task.id, task.kind, made.answer, made.score or 0.0, made.at)
                for task, made in session.execute(wanted)
            ]

    def known(self, actor: Person, project: int) -> list[Opined]:
        """The machines that have answered tasks of this project, by name."""
        actor.must("reviewer", "see how machines judge")
        suggested = (
            select(SuggestionRow.by, func.count())
            .join(TaskRow, TaskRow.id == SuggestionRow.task_id)
            .where(TaskRow.project_id == project, TaskRow.kind.in_(JUDGED))
            .group_by(SuggestionRow.by)
            .order_by(SuggestionRow.by)
        )
        moved = select(AuditRow.facts).where(
            AuditRow.action == "set autonomy", AuditRow.subject == f"project {project}"
        )
        alone = (
            select(PersonRow.name, func.count())
            .join(DecisionRow, DecisionRow.person_id == PersonRow.id)
            .join(TaskRow, TaskRow.id == DecisionRow.task_id)
            .where(TaskRow.project_id == project, DecisionRow.method == "machine")
            .group_by(PersonRow.name)
        )
        with self.database.read() as session:
            found = session.execute(suggested).all()
            decided = {name: count for name, count in session.execute(alone)}  # noqa: C416 (a result is no sequence)
            facts = [json.loads(each) for each in session.scalars(moved.order_by(AuditRow.number))]
        sliders = {each["by"]: each["threshold"] for each in facts}
        return [Opined(name, count, decided.get(name, 0), sliders.get(name)) for name, count in found]

    def _unseen(self, project: int, name: str, after: int, limit: int = 50) -> list[tuple[int, Question]]:
        seen = exists().where(SuggestionRow.task_id == TaskRow.id, SuggestionRow.by == name)
        wanted = (
            select(TaskRow)
            .where(TaskRow.project_id == project, TaskRow.kind.in_(JUDGED), TaskRow.state != "retired", ~seen)
            .where(TaskRow.id > after)
            .order_by(TaskRow.id)
            .limit(limit)
        )
        with self.database.read() as session:
            return [(task.id, _question(task)) for task in session.scalars(wanted)]


def _question(task: TaskRow) -> Question:
    material = {name: item for name, item in task.material.items() if name != "about"}
    if "answers" in material:
        material["answers"] = [{"messages": each["messages"]} for each in material["answers"]]
    if "answer" in material:
        material["answer"] = {"messages": material["answer"]["messages"]}
    return Question(task.kind, task.prompt, material)


def _suggest(change: Change, name: str, task: int, said: Judgement) -> bool:
    row = change.session.get(TaskRow, task)
    known = select(SuggestionRow.id).where(SuggestionRow.task_id == task, SuggestionRow.by == name)
    if row is None or change.session.scalar(known) is not None:
        return False
    if not 0 <= said.score <= 1:
        raise BadInput(f"a confidence of {said.score}, expected 0 to 1", where=name)
    order = range(len(row.material.get("answers", ())))
    answer = kind_named(row.kind).read(said.answer, row.material, order)
    change.session.add(SuggestionRow(task_id=task, by=name, answer=answer, score=said.score, at=change.now))
    return True


def _measured(
    session: Session, settings: ProjectSettings, project: int, name: str
) -> tuple[list[Opinion], list[bool]]:
    """The judge's opinions with how they compare to people's on blind tasks; and people with each other."""
    labels: dict[int, list[Json]] = {}
    submitted = (
        select(LabelRow.task_id, LabelRow.answer)
        .join(PersonRow, PersonRow.id == LabelRow.person_id)
        .join(TaskRow, TaskRow.id == LabelRow.task_id)
        .where(TaskRow.project_id == project, TaskRow.kind.in_(JUDGED), LabelRow.state == "submitted")
        .where(~PersonRow.is_machine)
        .order_by(LabelRow.id)
    )
    for task, answer in session.execute(submitted):
        labels.setdefault(task, []).append(answer)
    mine_alone = set(
        session.scalars(
            select(DecisionRow.task_id)
            .join(PersonRow, PersonRow.id == DecisionRow.person_id)
            .where(DecisionRow.method == "machine", PersonRow.name == name)
        )
    )
    opinions, people = [], []
    suggested = (
        select(TaskRow, SuggestionRow)
        .join(SuggestionRow, SuggestionRow.task_id == TaskRow.id)
        .where(TaskRow.project_id == project, SuggestionRow.by == name, TaskRow.state != "retired")
        .order_by(TaskRow.id)
    )
    for task, said in session.execute(suggested):
        theirs = [value(task.kind, task.key, answer) for answer in labels.get(task.id, ())]
        is_measure = is_blind(settings, task.key)
        mine = value(task.kind, task.key, said.answer)
        equal = tuple(mine == each for each in theirs) if is_measure else ()
        is_open = task.state == "open" and not theirs and not is_measure and task.gold is None
        is_open = is_open or task.id in mine_alone
        opinions.append(Opinion(said.score, equal, is_open))
        people += [a == b for a, b in combinations(theirs, 2)] if is_measure else []
    return opinions, people


def _machine(change: Change, name: str) -> Person:
    row = change.session.scalar(select(PersonRow).where(PersonRow.name == name))
    if row is None:
        return add(change, name, "labeller", is_machine=True)
    if not row.is_machine:
        raise Conflict(f"{name} is a person")
    return Person(row.id, row.name, row.pseudonym, "labeller", True)


def _sure(session: Session, project: int, name: str, threshold: float) -> Iterator[tuple[int, SuggestionRow]]:
    wanted = (
        select(TaskRow.id, SuggestionRow)
        .join(SuggestionRow, SuggestionRow.task_id == TaskRow.id)
        .where(TaskRow.project_id == project, TaskRow.state == "open", TaskRow.gold.is_(None))
        .where(SuggestionRow.by == name, SuggestionRow.score >= threshold)
        .order_by(TaskRow.id)
    )
    yield from session.execute(wanted).all()


def _decide(
    change: Change, settings: ProjectSettings, task: int, said: SuggestionRow, machine: Person
) -> bool:
    """Unless the task is blind, decided meanwhile, or somebody has begun with it."""
    row = task_row(change, task)
    begun = select(LabelRow.id).where(LabelRow.task_id == task, LabelRow.state.in_(("draft", "submitted")))
    if is_blind(settings, row.key) or row.state != "open" or change.session.scalar(begun.limit(1)):
        return False
    decide(change, row, said.answer, "machine", machine, said.score)
    return True


def _take_back(change: Change, project: int, machine: Person, threshold: float | None) -> tuple[int, int]:
    """Open again what the machine decided with less confidence than is asked for now."""
    wanted: Sequence[DecisionRow] = change.session.scalars(
        select(DecisionRow)
        .join(TaskRow, TaskRow.id == DecisionRow.task_id)
        .where(TaskRow.project_id == project, DecisionRow.method == "machine")
        .where(DecisionRow.person_id == machine.id)
        .order_by(DecisionRow.task_id)
    ).all()
    taken_back = kept = 0
    for made in wanted:
        if threshold is not None and (made.score or 0) >= threshold:
            continue
        exported = select(DatasetRecordRow.number).where(DatasetRecordRow.task_id == made.task_id).limit(1)
        if change.session.scalar(exported) is not None:
            kept += 1
            continue
        row = task_row(change, made.task_id)
        row.state = "open"
        change.session.delete(made)
        change.note("take back", f"task {row.id}", by=machine.name)
        taken_back += 1
    return taken_back, kept
