"""Reservations: two people never get the same last slot of a task.

A task of overlap k has k slots. Whoever opens it gets one, for as long as the lease says; every sign of life
(an autosaved draft, a heartbeat of the page) renews it. A slot whose lease has ended may be given to somebody
else; until that happens it stays its holder's, however late they come back.

One transaction finds a free slot and takes it. On SQLite it is the only writer. On PostgreSQL it locks the
slot's row and skips rows that somebody else has locked (FOR UPDATE SKIP LOCKED), so that eight people asking
at once get eight different slots without waiting. Locks are taken in one order everywhere (person, task from
the ancestor down, slot, label, audit), so nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, or_, select

from nextword.label.database import Change
from nextword.label.person import Person
from nextword.label.schema import LabelRow, SlotRow, TaskRow

WORKS = ("write", "correct", "compare", "rate")


def kinds_for(person: Person, wanted: Sequence[str] | None = None) -> list[str]:
    """The kinds of tasks that this person gets, of those that are wanted."""
    allowed = [*WORKS, "review"] if person.may("reviewer") else list(WORKS)
    return [kind for kind in allowed if wanted is None or kind in wanted]


def is_offered(person: Person, project: int, kinds: Sequence[str], lang: str) -> ColumnElement[bool]:
    """Tasks that may be given to the person: open, new to them, and not a review of their own work."""
    seen = exists().where(
        LabelRow.task_id == TaskRow.id, LabelRow.person_id == person.id, LabelRow.state != "lapsed"
    )
    own = exists().where(LabelRow.id == TaskRow.about_label, LabelRow.person_id == person.id)
    found = (TaskRow.project_id == project) & (TaskRow.state == "open") & TaskRow.kind.in_(kinds)
    return found & ~seen & ~own & (TaskRow.lang.in_((lang, "")) if lang else found)


def is_free_at(now: datetime) -> ColumnElement[bool]:
    """Slots that may be given out at this moment."""
    return ~SlotRow.is_filled & or_(SlotRow.person_id.is_(None), SlotRow.leased_until <= now)


def claim(
    change: Change, person: Person, offered: ColumnElement[bool], lease: timedelta
) -> tuple[TaskRow, SlotRow] | None:
    """Take a free slot of the first task that is offered; None when there is none."""
    found = change.session.execute(
        select(TaskRow, SlotRow)
        .join(SlotRow, SlotRow.task_id == TaskRow.id)
        .where(offered, is_free_at(change.now), TaskRow.gold.is_(None))
        .order_by(TaskRow.priority, TaskRow.id, SlotRow.number)
        .limit(1)
        .with_for_update(of=SlotRow, skip_locked=True)
    ).first()
    if found is None:
        return None
    task, slot = found
    _take(change, slot, person, lease)
    return task, slot


def claim_gold(
    change: Change, person: Person, offered: ColumnElement[bool], lease: timedelta
) -> tuple[TaskRow, SlotRow] | None:
    """A slot of the first gold item that is new to the person.

    A gold item is for everybody: each person has a slot of their own, numbered by the person.
    """
    wanted = select(TaskRow).where(offered, TaskRow.gold.is_not(None))
    task = change.session.scalar(wanted.order_by(TaskRow.id).limit(1))
    return (task, _gold_slot(change, task, person, lease)) if task else None


def hold(change: Change, task: TaskRow, person: Person, lease: timedelta) -> SlotRow | None:
    """The person's own slot of this task with a new lease, or a free one; None when others have them all."""
    if task.gold is not None:
        return _gold_slot(change, task, person, lease)
    wanted = select(SlotRow).where(SlotRow.task_id == task.id).order_by(SlotRow.number).with_for_update()
    rows = list(change.session.scalars(wanted))
    mine = [slot for slot in rows if slot.person_id == person.id]
    free = [slot for slot in rows if not slot.is_filled and _has_ended(change, slot)]
    if not (mine or free):
        return None
    slot = (mine or free)[0]
    _take(change, slot, person, lease)
    return slot


def release(change: Change, task: TaskRow, person: Person) -> None:
    """Give the person's slot back."""
    wanted = select(SlotRow).where(SlotRow.task_id == task.id, SlotRow.person_id == person.id)
    slot = change.session.scalar(wanted.with_for_update())
    if slot is not None:
        slot.person_id, slot.leased_until, slot.is_filled = None, None, False


def _has_ended(change: Change, slot: SlotRow) -> bool:
    return slot.person_id is None or (slot.leased_until is not None and slot.leased_until <= change.now)


def _take(change: Change, slot: SlotRow, person: Person, lease: timedelta) -> None:
    """Give the slot to the person; who had opened the task and not begun loses it from their queue."""
    if slot.person_id not in (None, person.id):
        theirs = (LabelRow.task_id == slot.task_id) & (LabelRow.person_id == slot.person_id)
        late = change.session.scalar(select(LabelRow).where(theirs).with_for_update())
        if late is not None and late.state == "pending":
            late.state = "lapsed"
    slot.person_id, slot.leased_until = person.id, change.now + lease


def _gold_slot(change: Change, task: TaskRow, person: Person, lease: timedelta) -> SlotRow:
    wanted = select(SlotRow).where(SlotRow.task_id == task.id, SlotRow.number == person.id)
    slot = change.session.scalar(wanted)
    if slot is None:
        slot = SlotRow(task_id=task.id, number=person.id, is_filled=False)
        change.session.add(slot)
    _take(change, slot, person, lease)
    change.session.flush()
    return slot
