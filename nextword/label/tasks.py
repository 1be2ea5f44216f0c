"""Tasks: made from what somebody imports, flags or disagrees about, each once, with its slots.

A task is known by its key, a hash of what it asks; asking for the same again gives the one that is there. So
an import can be repeated, and "both are bad", which two people may say, makes one task to write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from nextword.common.dialogue import messages_of, plain, text_in
from nextword.common.errors import BadInput
from nextword.common.records import digest
from nextword.label.audit import canonical
from nextword.label.database import Change
from nextword.label.kinds import Json, kind_named
from nextword.label.project import MOST_OVERLAP, project_row, settings_of
from nextword.label.refusals import NoSuch
from nextword.label.schema import SlotRow, TaskRow
from nextword.label.text import storable

SOON, LATER = -10, 0
"""Priorities: what came from a mistake is mended before new work."""


@dataclass(frozen=True)
class NewTask:
    """What a task asks. `about` is anything to show beside it (a quote and its page, say); `origin` where it
    came from; `gold` the expected answer, if that is known; `overlap` None means the project's."""

    kind: str
    prompt: list[Json]
    material: Json = field(default_factory=dict)
    about: Json = field(default_factory=dict)
    lang: str = ""
    overlap: int | None = None
    gold: Json | None = None
    source: str = "import"
    origin: Json = field(default_factory=dict)
    priority: int = LATER
    parent: int | None = None
    about_label: int | None = None


@dataclass(frozen=True)
class TaskSummary:
    """A task as a list shows it. filled of overlap; `title` is how its prompt begins."""

    id: int
    kind: str
    state: str
    title: str
    source: str
    lang: str
    filled: int
    overlap: int
    is_gold: bool
    created: datetime


def add(change: Change, project: int, new: NewTask) -> tuple[TaskRow, bool]:
    """The task that asks this, and whether it was made now.

    The caller holds a lock (on the project, or on the parent task), so that nobody makes it at the same time.
    """
    kind = kind_named(new.kind)
    try:
        prompt = plain(messages_of(new.prompt, "user"))
    except ValueError as error:
        raise BadInput(f"the prompt: {error}") from error
    material = kind.material(new.material) | ({"about": new.about} if new.about else {})
    storable([prompt, material, new.origin, new.gold, new.lang], "the task")
    asked: list[Any] = [new.kind, prompt, material, new.parent, new.about_label, new.gold is not None]
    key = digest(canonical(asked))
    known = select(TaskRow).where(TaskRow.project_id == project, TaskRow.key == key)
    if row := change.session.scalar(known):
        return row, False
    overlap = (
        settings_of(project_row(change.session, project)).overlap if new.overlap is None else new.overlap
    )
    if not 1 <= overlap <= MOST_OVERLAP:
        raise BadInput(f"an overlap of {overlap}, expected 1 to {MOST_OVERLAP}")
    row = TaskRow(
        project_id=project,
        key=key,
        kind=new.kind,
        state="open",
        priority=new.priority,
        overlap=overlap,
        lang=new.lang,
        prompt=prompt,
        material=material,
        gold=None if new.gold is None else _expected(new, material),
        source=new.source,
        origin=new.origin,
        parent_id=new.parent,
        about_label=new.about_label,
        created=change.now,
    )
    change.session.add(row)
    change.session.flush()
    if row.gold is None:  # a gold item is for everybody: each gets a slot when it is given out
        _places(change, row, range(overlap))
    change.note("add task", f"task {row.id}", key=key, kind=row.kind, source=row.source)
    return row, True


def task_row(change: Change, task: int) -> TaskRow:
    """The task, locked against other writers; NoSuch when there is none."""
    row = change.session.get(TaskRow, task, with_for_update={"key_share": True}, populate_existing=True)
    if row is None:
        raise NoSuch(f"no task {task}")
    return row


def slots(change: Change, task: TaskRow) -> list[SlotRow]:
    """The task's slots, locked."""
    wanted = select(SlotRow).where(SlotRow.task_id == task.id).order_by(SlotRow.number).with_for_update()
    return list(change.session.scalars(wanted))


def summary(row: TaskRow, filled: int) -> TaskSummary:
    """A task as a list shows it."""
    title = text_in(row.prompt[-1]["content"])
    return TaskSummary(
        row.id,
        row.kind,
        row.state,
        " ".join(title.split())[:120],
        row.source,
        row.lang,
        filled,
        row.overlap,
        row.gold is not None,
        row.created,
    )


def add_slots(change: Change, row: TaskRow, count: int) -> None:
    """So many more free places."""
    taken = change.session.scalar(select(func.max(SlotRow.number)).where(SlotRow.task_id == row.id))
    first = 0 if taken is None else taken + 1
    _places(change, row, range(first, first + count))


def _places(change: Change, row: TaskRow, numbers: range) -> None:
    change.session.add_all(
        SlotRow(task_id=row.id, number=number, person_id=None, leased_until=None, is_filled=False)
        for number in numbers
    )


def _expected(new: NewTask, material: Json) -> Json:
    """The answer of a gold item, in the form in which answers are kept."""
    kind = kind_named(new.kind)
    if not kind.is_judged and new.kind != "correct":
        raise BadInput(f"a {new.kind} task cannot be a gold item", do="compare, rate or correct can")
    assert new.gold is not None, "only gold items have an expected answer"
    if new.kind == "correct":
        if new.gold.get("verdict") not in ("good", "changed", "unusable"):
            raise BadInput("a gold correction has a verdict", do="good, changed or unusable")
        return {"verdict": new.gold["verdict"]}
    return kind.read(new.gold, material, range(len(material.get("answers", ()))))
