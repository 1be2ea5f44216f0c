"""A person's four queues in a project: pending, draft, submitted, discarded; and how many are in each.

Pending counts what could be given to the person now, opened or not; the others are labels of theirs. A draft
whose slot went to somebody else stays in its queue, so that nothing written is ever out of reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import exists, func, select

from nextword.label.database import Database
from nextword.label.person import Person
from nextword.label.schema import LabelRow, SlotRow, TaskRow
from nextword.label.slots import is_free_at, is_offered, kinds_for
from nextword.label.tasks import summary

State = Literal["pending", "draft", "submitted", "discarded"]


@dataclass(frozen=True)
class Counts:
    """How many tasks are in each of a person's queues."""

    pending: int
    draft: int
    submitted: int
    discarded: int


@dataclass(frozen=True)
class Entry:
    """One label of a person as a list shows it. verdict: what a reviewer said, if anything."""

    task: int
    kind: str
    title: str
    state: State
    verdict: str
    touched: datetime


class Queues:
    """Listing and counting."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def counts(
        self, actor: Person, project: int, kinds: Sequence[str] | None = None, lang: str = ""
    ) -> Counts:
        """The size of each queue, of these kinds and this language where they are given."""
        now = self.database.clock()
        wanted = kinds_for(actor, kinds)
        slot = exists().where(SlotRow.task_id == TaskRow.id, is_free_at(now), TaskRow.gold.is_(None))
        offered = select(func.count()).where(is_offered(actor, project, wanted, lang), slot)
        mine = (
            select(LabelRow.state, func.count())
            .join(TaskRow, TaskRow.id == LabelRow.task_id)
            .where(LabelRow.person_id == actor.id, TaskRow.project_id == project, TaskRow.kind.in_(wanted))
            .group_by(LabelRow.state)
        )
        mine = mine.where(TaskRow.lang.in_((lang, ""))) if lang else mine
        with self.database.read() as session:
            new = session.scalar(offered.select_from(TaskRow)) or 0
            had: dict[str, int] = {state: count for state, count in session.execute(mine)}  # noqa: C416 (a result is no sequence)
        states = (had.get(state, 0) for state in ("draft", "submitted", "discarded"))
        return Counts(new + had.get("pending", 0), *states)

    def entries(
        self, actor: Person, project: int, state: State, offset: int = 0, limit: int = 50
    ) -> list[Entry]:
        """The labels of one queue, the one touched last first (of pending: those already opened)."""
        wanted = (
            select(TaskRow, LabelRow)
            .join(LabelRow, LabelRow.task_id == TaskRow.id)
            .where(LabelRow.person_id == actor.id, LabelRow.state == state, TaskRow.project_id == project)
            .order_by(LabelRow.touched.desc(), LabelRow.id.desc())
        )
        with self.database.read() as session:
            rows = session.execute(wanted.offset(offset).limit(limit))
            return [
                Entry(task.id, task.kind, summary(task, 0).title, state, label.verdict, label.touched)
                for task, label in rows
            ]
