"""The list of a project's tasks, as owners and reviewers see and change it."""

from __future__ import annotations

from sqlalchemy import func, select

from nextword.common.errors import BadInput
from nextword.label.database import Database
from nextword.label.outcome import settle
from nextword.label.person import Person
from nextword.label.project import MOST_OVERLAP, project_row
from nextword.label.refusals import Conflict
from nextword.label.schema import SlotRow, TaskRow
from nextword.label.tasks import NewTask, TaskSummary, add, add_slots, slots, summary, task_row


class Tasks:
    """Looking at tasks and changing what is asked of people."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, actor: Person, project: int, new: NewTask) -> int:
        """Make one task (or find the one that asks the same); returns its number."""
        actor.must("owner", "add tasks")
        with self.database.write(actor) as change:
            project_row(change.session, project, is_locked=True)
            return add(change, project, new)[0].id

    def find(
        self, actor: Person, project: int, state: str = "", kind: str = "", after: int = 0, limit: int = 50
    ) -> list[TaskSummary]:
        """Tasks with a number above `after`, of one state and kind where these are given."""
        actor.must("reviewer", "see all tasks")
        filled = (
            select(func.count()).where(SlotRow.task_id == TaskRow.id, SlotRow.is_filled).scalar_subquery()
        )
        wanted = select(TaskRow, filled).where(TaskRow.project_id == project, TaskRow.id > after)
        wanted = wanted.where(TaskRow.state == state) if state else wanted
        wanted = wanted.where(TaskRow.kind == kind) if kind else wanted
        with self.database.read() as session:
            rows = session.execute(wanted.order_by(TaskRow.id).limit(limit))
            return [summary(row, filled) for row, filled in rows]

    def set_overlap(self, actor: Person, task: int, overlap: int) -> None:
        """Ask more people (or fewer, as far as slots are free)."""
        actor.must("owner", "change the overlap")
        if not 1 <= overlap <= MOST_OVERLAP:
            raise BadInput(f"an overlap of {overlap}, expected 1 to {MOST_OVERLAP}")
        with self.database.write(actor) as change:
            row = task_row(change, task)
            if row.gold is not None or row.state not in ("open", "done"):
                raise Conflict(f"task {task} is not for more people", do="gold items are for everybody")
            free = [slot for slot in slots(change, row) if slot.person_id is None]
            for slot in free[: max(0, row.overlap - overlap)]:
                change.session.delete(slot)
                row.overlap -= 1
            if overlap < row.overlap:
                raise Conflict(f"{row.overlap} people have task {task} already")
            add_slots(change, row, overlap - row.overlap)
            row.overlap, row.state = overlap, "open"
            settle(change, row)  # done, where everybody has labelled it already
            change.note("set overlap", f"task {task}", overlap=overlap)

    def retire(self, actor: Person, task: int, why: str = "") -> None:
        """Take a task out of the queues; the labels it has stay, but are not exported."""
        actor.must("owner", "retire tasks")
        with self.database.write(actor) as change:
            row = task_row(change, task)
            row.state = "retired"
            change.note("retire task", f"task {task}", why=why)
