"""The figures of a project: how far it is, how well people agree, and what each person's work was.

Agreement is of judgements (compare: the best answer; rate: each criterion, with an ordinal measure; correct:
the verdict) on tasks that at least two people have labelled; gold items count too, they are labels like any
other. Machines are left out: how they agree with people is their judge's figure (autonomy.py).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from nextword.label import agreement
from nextword.label.agreement import Measure, wilson
from nextword.label.database import Database
from nextword.label.kinds import value
from nextword.label.person import Person
from nextword.label.schema import LabelRow, PersonRow, SlotRow, TaskRow


@dataclass(frozen=True)
class Progress:
    """How far a project is. tasks: by kind and state; slots: filled of all."""

    tasks: dict[str, dict[str, int]]
    filled: int
    slots: int
    labels: int
    minutes: float
    minutes_left: float | None
    """Of all people together, at the median time that a label of each kind has taken; None before any."""


@dataclass(frozen=True)
class Agreement:
    """How well people agree on one question (compare, correct, or rate: CRITERION). None: cannot be said."""

    question: str
    measure: Measure
    tasks: int
    people: int
    share: float | None
    cohen: float | None
    fleiss: float | None
    alpha: float | None


@dataclass(frozen=True)
class Work:
    """One person's work. gold: right of how many, with the 95 % interval of that share; agreement: the share
    of pairs with others' labels that are equal, of how many."""

    name: str
    pseudonym: str
    is_machine: bool
    submitted: int
    drafts: int
    discarded: int
    rejected: int
    minutes: float
    gold_right: int
    gold: int
    gold_interval: tuple[float, float]
    agreement: float | None
    pairs: int


@dataclass(frozen=True)
class Judged:
    """One submitted judgement: which question, task and person, and what was said."""

    question: str
    measure: Measure
    task: int
    person: int
    value: Any


class Figures:
    """Counting."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def progress(self, actor: Person, project: int) -> Progress:
        """How far the project is."""
        with self.database.read() as session:
            tasks: dict[str, dict[str, int]] = defaultdict(dict)
            by_state = select(TaskRow.kind, TaskRow.state, func.count()).where(TaskRow.project_id == project)
            for kind, state, count in session.execute(by_state.group_by(TaskRow.kind, TaskRow.state)):
                tasks[kind][state] = count
            slots = (
                select(TaskRow.kind, SlotRow.is_filled, func.count())
                .join(TaskRow, TaskRow.id == SlotRow.task_id)
                .where(TaskRow.project_id == project, TaskRow.state != "retired", TaskRow.gold.is_(None))
                .group_by(TaskRow.kind, SlotRow.is_filled)
            )
            counts = {(kind, is_filled): count for kind, is_filled, count in session.execute(slots)}
            took = seconds_by_kind(session, project)
        filled = sum(count for (_, is_filled), count in counts.items() if is_filled)
        left = {kind: count for (kind, is_filled), count in counts.items() if not is_filled}
        known = all(kind in took for kind in left)
        return Progress(
            dict(tasks),
            filled,
            sum(counts.values()),
            sum(len(each) for each in took.values()),
            sum(sum(each) for each in took.values()) / 60,
            sum(count * median(took[kind]) for kind, count in left.items()) / 60 if known else None,
        )

    def agreement(self, actor: Person, project: int) -> list[Agreement]:
        """How well people agree, for each question that two of them have answered."""
        with self.database.read() as session:
            judged = judgements(session, project)
        found = []
        for question in sorted({each.question for each in judged}):
            units: dict[int, list[Judged]] = defaultdict(list)
            for each in judged:
                if each.question == question:
                    units[each.task].append(each)
            shared = [unit for unit in units.values() if len(unit) > 1]
            if shared:
                found.append(_agreement(question, shared))
        return found

    def people(self, actor: Person, project: int) -> list[Work]:
        """What each person has done, most labels first. A labeller sees only their own line."""
        with self.database.read() as session:
            judged = judgements(session, project, has_machines=True)
            states = (
                select(
                    PersonRow,
                    func.count(case((LabelRow.state == "submitted", 1))),
                    func.count(case((LabelRow.state == "draft", 1))),
                    func.count(case((LabelRow.state == "discarded", 1))),
                    func.count(case((LabelRow.verdict == "rejected", 1))),
                    func.sum(LabelRow.seconds),
                    func.count(case((LabelRow.is_right.is_(True), 1))),
                    func.count(LabelRow.is_right),
                )
                .join(LabelRow, LabelRow.person_id == PersonRow.id)
                .join(TaskRow, TaskRow.id == LabelRow.task_id)
                .where(TaskRow.project_id == project)
                .group_by(PersonRow.id)
            )
            rows = session.execute(states).all()
        equal = _pairs_of(judged)
        found = [
            Work(
                person.name,
                person.pseudonym,
                person.is_machine,
                done,
                drafts,
                discarded,
                rejected,
                seconds / 60,
                right,
                gold,
                wilson(right, gold),
                sum(equal[person.id]) / len(equal[person.id]) if equal[person.id] else None,
                len(equal[person.id]),
            )
            for person, done, drafts, discarded, rejected, seconds, right, gold in rows
            if actor.may("reviewer") or person.id == actor.id
        ]
        return sorted(found, key=lambda each: (-each.submitted, each.name))


def judgements(session: Session, project: int, has_machines: bool = False) -> list[Judged]:
    """Every submitted judgement of the project, one for each question that it answers."""
    wanted = (
        select(TaskRow.id, TaskRow.kind, TaskRow.key, LabelRow.person_id, LabelRow.answer)
        .join(LabelRow, LabelRow.task_id == TaskRow.id)
        .join(PersonRow, PersonRow.id == LabelRow.person_id)
        .where(TaskRow.project_id == project, TaskRow.state != "retired", LabelRow.state == "submitted")
        .where(TaskRow.kind.in_(("compare", "rate", "correct")))
        .order_by(TaskRow.id, LabelRow.id)
    )
    wanted = wanted if has_machines else wanted.where(~PersonRow.is_machine)
    found: list[Judged] = []
    for task, kind, key, person, answer in session.execute(wanted):
        if kind == "rate":
            ratings = answer["ratings"].items()
            found += [Judged(f"rate: {name}", "ordinal", task, person, rating) for name, rating in ratings]
        else:
            found.append(Judged(kind, "nominal", task, person, value(kind, key, answer)))
    return found


def seconds_by_kind(session: Session, project: int) -> dict[str, list[float]]:
    """How long people's submitted labels have taken, by kind of task."""
    wanted = (
        select(TaskRow.kind, LabelRow.seconds)
        .join(TaskRow, TaskRow.id == LabelRow.task_id)
        .join(PersonRow, PersonRow.id == LabelRow.person_id)
        .where(TaskRow.project_id == project, LabelRow.state == "submitted", ~PersonRow.is_machine)
    )
    took: dict[str, list[float]] = defaultdict(list)
    for kind, seconds in session.execute(wanted):
        took[kind].append(seconds)
    return dict(took)


def median(values: Sequence[float]) -> float:
    """The middle one (the mean of the two in the middle); 0 of none."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return (ordered[half] + ordered[~half]) / 2 if ordered else 0.0


def _agreement(question: str, shared: Iterable[Sequence[Judged]]) -> Agreement:
    units = [[each.value for each in unit] for unit in shared]
    measure = next(iter(shared))[0].measure
    people = sorted({each.person for unit in shared for each in unit})
    usual = Counter(map(len, units)).most_common(1)[0][0]
    cohen = None
    if len(people) == 2:
        by_person = [{each.person: each.value for each in unit} for unit in shared]
        cohen = agreement.cohen(*([unit[person] for unit in by_person] for person in people))
    return Agreement(
        question,
        measure,
        len(units),
        len(people),
        agreement.share(units),
        cohen,
        agreement.fleiss([unit for unit in units if len(unit) == usual]),
        agreement.krippendorff(units, measure),
    )


def _pairs_of(judged: Iterable[Judged]) -> dict[int, list[bool]]:
    """For each person, whether each of their judgements equals each one of others on the same question."""
    units: dict[tuple[str, int], list[Judged]] = defaultdict(list)
    for each in judged:
        units[each.question, each.task].append(each)
    equal: dict[int, list[bool]] = defaultdict(list)
    for unit in units.values():
        said: list[tuple[int, Hashable]] = [(each.person, each.value) for each in unit]
        for person, mine in said:
            equal[person] += [mine == theirs for other, theirs in said if other != person]
    return equal
