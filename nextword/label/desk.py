"""The desk where people work: the next task, drafts that are saved by themselves, submitting, discarding.

    item = desk.next(person, project)                     reserved for them
    saved = desk.save(person, item.task, {"text": "..."}) as often as the page likes
    desk.submit(person, item.task, {"text": "..."})

Whatever the browser does, nothing is lost and nothing counted twice: asking for the next task again (a
refresh, a second tab) gives the one that is open already; a draft is on the disk before it is answered, also
when its slot has gone to somebody else meanwhile; a submission that is sent again is the same submission.

Working time is counted by signs of life (saving, `touch`); a pause counts for two minutes at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from nextword.label import outcome
from nextword.label.database import Change, Database
from nextword.label.item import Item, item_of, made_by, sides_of
from nextword.label.kinds import Json, kind_named
from nextword.label.person import Person
from nextword.label.project import ProjectSettings, newest_guide, project_row, settings_of
from nextword.label.quiz import must_be_qualified
from nextword.label.refusals import Conflict, NoSuch
from nextword.label.schema import LabelRow, PersonRow, SlotRow, TaskRow
from nextword.label.slots import claim, claim_gold, hold, is_offered, kinds_for, release
from nextword.label.tasks import slots, task_row
from nextword.label.text import checked, fraction, storable

IDLE = timedelta(minutes=2)
TAKEN = "others have finished this task while you were away"


@dataclass(frozen=True)
class Saved:
    """A draft is on the disk. is_held: the slot is still the person's."""

    revision: int
    is_held: bool
    leased_until: datetime | None


@dataclass(frozen=True)
class Receipt:
    """A label is submitted."""

    task: int
    submitted: datetime
    seconds: float


class Desk:
    """Giving out tasks and taking in labels."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def next(
        self, actor: Person, project: int, kinds: Sequence[str] | None = None, lang: str = ""
    ) -> Item | None:
        """The task that the person has open, or a new one, reserved; None when there is none for them.

        kinds and lang (an ISO 639-1 code) narrow it down. NotQualified before the quiz.
        """
        with self.database.write(actor) as change:
            settings = settings_of(project_row(change.session, project))
            must_be_qualified(change.session, actor, project)
            # two tabs of one person take turns, or they would get two tasks
            change.session.get(PersonRow, actor.id, with_for_update={"key_share": True})
            wanted = kinds_for(actor, kinds)
            found = self._opened(change, actor, project, wanted, lang, settings)
            if found is None:
                offered, lease = is_offered(actor, project, wanted, lang), _lease(settings)
                if self._is_gold_due(change, actor, project, settings):
                    found = claim_gold(change, actor, offered, lease)
                found = found or claim(change, actor, offered, lease)
            if found is None:
                return None
            label = self.give(change, actor, *found)
            return item_of(change.session, settings, found[0], label, found[1])

    def give(self, change: Change, person: Person, task: TaskRow, slot: SlotRow) -> LabelRow:
        """Open a task for the person, within a transaction that has taken the slot for them."""
        slot.person_id = person.id
        label = _label(change, task, person) or LabelRow(task_id=task.id, person_id=person.id)
        if label.state != "pending":
            _begin(change, label, task, slot)
        label.touched = change.now
        change.session.flush()
        return label

    def open(self, actor: Person, task: int) -> Item:
        """A task that the person has had before, in whatever state; its slot is reserved again if it can."""
        with self.database.write(actor) as change:
            row, label, settings = _own(change, actor, task)
            slot = None
            if label.state in ("pending", "draft"):
                slot = hold(change, row, actor, _lease(settings))
                label.touched = change.now
            change.session.flush()
            return item_of(change.session, settings, row, label, slot)

    def made_by(self, actor: Person, task: int, at: int | None = None) -> str:
        """Who made the answer (at this place) that one of the person's tasks shows; not for their eyes."""
        with self.database.write(actor) as change:
            row, label, _ = _own(change, actor, task)
            return made_by(row, label.order, at)

    def save(self, actor: Person, task: int, draft: Json, revision: int | None = None) -> Saved:
        """Keep a draft. `revision`: the one the page last saw; Conflict when another tab has saved since."""
        storable(draft, "the draft")
        with self.database.write(actor) as change:
            row, label, settings = _own(change, actor, task)
            if label.state in ("submitted", "discarded"):
                raise _is(label.state)
            if revision is not None and revision != label.revision:
                raise Conflict(
                    "another tab has saved this draft since",
                    do="load it again",
                    code="draft_is_newer",
                    facts={"revision": label.revision},
                )
            slot = hold(change, row, actor, _lease(settings)) if row.state == "open" else None
            label.draft, label.state, label.revision = draft, "draft", label.revision + 1
            _count_time(change, label)
            return Saved(label.revision, slot is not None, slot.leased_until if slot else None)

    def touch(self, actor: Person, task: int) -> Saved:
        """A sign of life of the open page: counts the time and renews the lease."""
        with self.database.write(actor) as change:
            row, label, settings = _own(change, actor, task)
            slot = None
            if label.state in ("pending", "draft") and row.state == "open":
                slot = hold(change, row, actor, _lease(settings))
                _count_time(change, label)
            return Saved(label.revision, slot is not None, slot.leased_until if slot else None)

    def submit(self, actor: Person, task: int, answer: Json) -> Receipt:
        """Hand in the answer (kinds.py says what each kind takes).

        BadInput when it is none; Conflict when others have filled all slots meanwhile, or it was submitted
        with another answer before. In the first case the answer is kept as a draft.
        """
        storable(answer, "the answer")
        with self.database.write(actor) as change:
            row, label, settings = _own(change, actor, task, is_locked=True)
            read = kind_named(row.kind).read(answer, row.material, label.order)
            if label.state == "submitted" and label.answer == read and label.submitted:
                return Receipt(task, label.submitted, label.seconds)
            if label.state in ("submitted", "discarded"):
                raise _is(label.state)
            _count_time(change, label)
            label.draft, label.revision = answer, label.revision + 1
            slot = hold(change, row, actor, _lease(settings)) if row.state == "open" else None
            if slot is not None:
                slot.is_filled, slot.leased_until = True, None
                _hand_in(change, settings, row, label, read)
                assert label.submitted is not None, "handing in says when"
                return Receipt(task, label.submitted, label.seconds)
            label.state = "draft"
        do = "your draft is kept; ask an owner to let one more person label it"
        raise Conflict(TAKEN, do=do, code="taken")

    def discard(self, actor: Person, task: int, why: str = "") -> None:
        """Leave a task to others; the draft stays with the person, who may reopen it."""
        with self.database.write(actor) as change:
            row, label, _ = _own(change, actor, task)
            if label.state == "submitted":
                raise _is(label.state)
            release(change, row, actor)
            label.state = "discarded"
            change.note("discard", f"task {task}", why=checked(why, "the reason") if why else "")

    def reopen(self, actor: Person, task: int) -> Item:
        """Take back what was discarded or submitted, as long as nobody has built on it."""
        with self.database.write(actor) as change:
            row, label, settings = _own(change, actor, task, is_locked=True)
            if label.state == "submitted":
                outcome.take_back(change, row, label)
                label.answer, label.submitted = None, None
            slot = hold(change, row, actor, _lease(settings)) if row.state == "open" else None
            if slot is None:
                raise Conflict(TAKEN, do="there is no place for one more label", code="taken")
            label.state = "pending" if label.draft is None else "draft"
            label.touched = change.now
            change.note("reopen", f"task {task}")
            change.session.flush()
            return item_of(change.session, settings, row, label, slot)

    def _opened(
        self,
        change: Change,
        actor: Person,
        project: int,
        kinds: Sequence[str],
        lang: str,
        settings: ProjectSettings,
    ) -> tuple[TaskRow, SlotRow] | None:
        """What the person opened and has not begun, if its slot is still to be had."""
        wanted = (
            select(TaskRow, LabelRow)
            .join(LabelRow, LabelRow.task_id == TaskRow.id)
            .where(LabelRow.person_id == actor.id, LabelRow.state == "pending")
            .where(TaskRow.project_id == project, TaskRow.kind.in_(kinds))
            .order_by(LabelRow.id)
        )
        if lang:
            wanted = wanted.where(TaskRow.lang.in_((lang, "")))
        for task, label in change.session.execute(wanted):
            slot = hold(change, task, actor, _lease(settings)) if task.state == "open" else None
            if slot is not None:
                return task, slot
            label.state = "lapsed"
        return None

    def _is_gold_due(self, change: Change, actor: Person, project: int, settings: ProjectSettings) -> bool:
        """One task in `gold_every`, at places that cannot be foreseen."""
        if not settings.gold_every:
            return False
        had = select(func.count()).select_from(LabelRow).join(TaskRow, TaskRow.id == LabelRow.task_id)
        mine = (LabelRow.person_id == actor.id) & (TaskRow.project_id == project)
        count = change.session.scalar(had.where(mine)) or 0
        return fraction("gold", project, actor.id, count) * settings.gold_every < 1


def _is(state: str) -> Conflict:
    return Conflict(f"the label is {state}", do="reopen it first", code=f"is_{state}")


def _lease(settings: ProjectSettings) -> timedelta:
    return timedelta(minutes=settings.lease_minutes)


def _label(change: Change, task: TaskRow, person: Person) -> LabelRow | None:
    wanted = select(LabelRow).where(LabelRow.task_id == task.id, LabelRow.person_id == person.id)
    return change.session.scalar(wanted.with_for_update())


def _own(
    change: Change, actor: Person, task: int, is_locked: bool = False
) -> tuple[TaskRow, LabelRow, ProjectSettings]:
    """The task and the person's label on it. Slots and label are locked; where asked, the task and its parent
    too, before them."""
    row = change.session.get(TaskRow, task)
    if row is not None and is_locked:
        if row.parent_id is not None:
            task_row(change, row.parent_id)
        row = task_row(change, task)
    label = None
    if row is not None:
        slots(change, row)
        label = _label(change, row, actor)
    if row is None or label is None:
        raise NoSuch(f"task {task} is not yours")
    return row, label, settings_of(project_row(change.session, row.project_id))


def _begin(change: Change, label: LabelRow, task: TaskRow, slot: SlotRow) -> None:
    """The person opens the task for the first time (or once more, after it had lapsed)."""
    label.state, label.order = "pending", sides_of(task, slot.number)
    label.draft, label.revision, label.answer, label.final = None, 0, None, None
    label.score, label.is_right, label.verdict = None, None, ""
    label.guide = newest_guide(change.session, task.project_id).version
    label.opened, label.seconds, label.submitted = change.now, 0.0, None
    change.session.add(label)


def _count_time(change: Change, label: LabelRow) -> None:
    gone = max(timedelta(0), change.now - label.touched)
    label.seconds += min(gone, IDLE).total_seconds()
    label.touched = change.now


def _hand_in(change: Change, settings: ProjectSettings, task: TaskRow, label: LabelRow, answer: Json) -> None:
    label.state, label.answer, label.submitted = "submitted", answer, change.now
    label.verdict, label.final = "", None
    label.guide = newest_guide(change.session, task.project_id).version
    facts = {"answer": answer, "guide": label.guide, "sides": label.order, "seconds": round(label.seconds, 1)}
    change.note("submit", f"task {task.id}", **facts)
    change.session.flush()
    outcome.follow(change, settings, task, label)
