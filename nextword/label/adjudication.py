"""Adjudication: where people disagree, a reviewer decides, and the audit keeps that it was so.

The reviewer sees the answers in the task's own order and what each labeller said of them, under pseudonyms.
Who labelled a task does not decide about it; an owner may, because in a club of two nobody else is left, and
the audit says that it was their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from nextword.label.database import Database
from nextword.label.item import material_of, sides_of
from nextword.label.kinds import Json, kind_named
from nextword.label.outcome import decide, submitted, withdraw_children
from nextword.label.person import Person
from nextword.label.refusals import Conflict, NoSuch, NotAllowed
from nextword.label.schema import DecisionRow, LabelRow, PersonRow, TaskRow
from nextword.label.sides import shown
from nextword.label.tasks import TaskSummary, summary, task_row
from nextword.label.text import storable


@dataclass(frozen=True)
class Opinion:
    """What one labeller said: their answer, with ranks in the order in which the reviewer sees the sides."""

    who: str
    is_machine: bool
    answer: Json
    guide: int


@dataclass(frozen=True)
class Dispute:
    """A task, what people said of it, and what was decided, if anything (method and answer)."""

    task: int
    kind: str
    state: str
    prompt: list[Json]
    material: Json
    about: Json
    opinions: tuple[Opinion, ...]
    method: str
    decision: Json | None


class Adjudication:
    """Looking at disagreements, and ending them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def disputes(self, actor: Person, project: int, after: int = 0, limit: int = 50) -> list[TaskSummary]:
        """Tasks on which people disagree, oldest first."""
        actor.must("reviewer", "adjudicate")
        wanted = select(TaskRow).where(
            TaskRow.project_id == project, TaskRow.state == "disputed", TaskRow.id > after
        )
        with self.database.read() as session:
            rows = session.scalars(wanted.order_by(TaskRow.id).limit(limit))
            return [summary(row, row.overlap) for row in rows]

    def show(self, actor: Person, task: int) -> Dispute:
        """One task with everybody's labels; also one that is decided already."""
        actor.must("reviewer", "adjudicate")
        with self.database.read() as session:
            row = session.get(TaskRow, task)
            if row is None:
                raise NoSuch(f"no task {task}")
            order = sides_of(row, 0)
            labels = (
                select(LabelRow, PersonRow)
                .join(PersonRow, PersonRow.id == LabelRow.person_id)
                .where(LabelRow.task_id == task, LabelRow.state == "submitted")
                .order_by(LabelRow.submitted, LabelRow.id)
            )
            opinions = tuple(
                Opinion(
                    person.pseudonym, person.is_machine, _as_shown(label.answer or {}, order), label.guide
                )
                for label, person in session.execute(labels)
            )
            decision = session.get(DecisionRow, task)
            return Dispute(
                row.id,
                row.kind,
                row.state,
                row.prompt,
                material_of(row, order),
                row.material.get("about", {}),
                opinions,
                decision.method if decision else "",
                _as_shown(decision.answer, order) if decision else None,
            )

    def decide(self, actor: Person, task: int, answer: Json) -> None:
        """End a disagreement, or overrule a decision.

        answer: as a labeller would give it, of the sides as `show` gave them. Conflict when somebody has
        decided meanwhile, or works on what followed.
        """
        actor.must("reviewer", "adjudicate")
        storable(answer, "the answer")
        with self.database.write(actor) as change:
            row = task_row(change, task)
            kind = kind_named(row.kind)
            if not kind.is_judged or row.gold is not None or row.state not in ("disputed", "done"):
                raise Conflict(f"task {task} waits for no decision")
            decision = change.session.get(DecisionRow, task)
            if decision is not None and decision.method == "adjudication" and not actor.may("owner"):
                raise Conflict("this has been adjudicated already", do="an owner may overrule it")
            is_own = any(label.person_id == actor.id for label in submitted(change, row))
            if is_own and not actor.may("owner"):
                raise NotAllowed("who labelled a task does not decide about it", do="let somebody else")
            withdraw_children(change, row)
            read = kind.read(answer, row.material, sides_of(row, 0))
            if is_own:
                change.note("adjudicate own", f"task {task}")
            decide(change, row, read, "adjudication", actor)


def _as_shown(answer: Json, order: list[int]) -> Json:
    return {**answer, "ranks": shown(answer["ranks"], order)} if "ranks" in answer else answer
