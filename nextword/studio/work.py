"""A labeller's work: the next task, drafts, submitting, discarding, undoing, flagging."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from nextword.common.dialogue import messages_of
from nextword.common.records import Conversation
from nextword.label.desk import Receipt, Saved
from nextword.label.flags import Flag
from nextword.label.item import Item
from nextword.label.kinds import Json
from nextword.label.queues import Counts, Entry, State
from nextword.label.refusals import Unusable
from nextword.studio.body import LARGEST, Answer, Body, Limit, Number, Prose, Word, Words
from nextword.studio.door import Actor, House

router = APIRouter(prefix="/api", tags=["work"])
Offset = Annotated[int, Query(ge=0, le=LARGEST)]


class Asked(Body):
    """Which task is wanted."""

    kinds: list[Word] | None = Field(None, max_length=10)
    lang: Word = ""


class Given(Body):
    """The task, if there is one."""

    item: Item | None


class Entries(Body):
    """One queue."""

    entries: list[Entry]


class Draft(Body):
    """A draft, and the revision that the page last saw."""

    draft: Answer
    revision: int | None = None


class Submission(Body):
    """An answer; its shape is the kind's."""

    answer: Answer


class Reason(Body):
    """Why, in the person's own words."""

    why: Prose = ""


class Shown(Body):
    """What is wrong with an answer that a task shows; its place, where there are several."""

    why: Prose
    answer: int | None = None


class NewFlag(Body):
    """A conversation whose last answer is wrong."""

    messages: list[Json]
    why: Prose
    origin: Word = "chat"
    model: Word = ""
    wants: Literal["correct", "write"] = "correct"
    lang: Annotated[Word, Field(max_length=10)] = ""


class Made(Body):
    """The task that came of it."""

    task: int


class FlagList(Body):
    """Every flag, newest first."""

    flags: list[Flag]


@router.get("/projects/{project}/counts")
def counts(studio: House, actor: Actor, project: Number, kinds: Words = None, lang: Word = "") -> Counts:
    """How many tasks are in each of one's queues."""
    studio.office.projects.get(actor, project)
    return studio.office.queues.counts(actor, project, kinds, lang)


@router.get("/projects/{project}/queue/{state}")
def queue(
    studio: House, actor: Actor, project: Number, state: State, offset: Offset = 0, limit: Limit = 50
) -> Entries:
    """One of one's queues."""
    return Entries(entries=studio.office.queues.entries(actor, project, state, offset, limit))


@router.post("/projects/{project}/next")
def next(studio: House, actor: Actor, project: Number, given: Asked) -> Given:
    """The task that is open already, or a new one, reserved."""
    return Given(item=studio.office.desk.next(actor, project, given.kinds, given.lang))


@router.post("/tasks/{task}/open")
def open(studio: House, actor: Actor, task: Number) -> Item:
    """A task that one has had before."""
    return studio.office.desk.open(actor, task)


@router.put("/tasks/{task}/draft")
def save(studio: House, actor: Actor, task: Number, given: Draft) -> Saved:
    """Keep a draft."""
    return studio.office.desk.save(actor, task, given.draft, given.revision)


@router.post("/tasks/{task}/touch")
def touch(studio: House, actor: Actor, task: Number) -> Saved:
    """A sign of life."""
    return studio.office.desk.touch(actor, task)


@router.post("/tasks/{task}/submit")
def submit(studio: House, actor: Actor, task: Number, given: Submission) -> Receipt:
    """Hand in an answer."""
    return studio.office.desk.submit(actor, task, given.answer)


@router.post("/tasks/{task}/discard", status_code=204)
def discard(studio: House, actor: Actor, task: Number, given: Reason) -> None:
    """Leave a task to others."""
    studio.office.desk.discard(actor, task, given.why)


@router.post("/tasks/{task}/reopen")
def reopen(studio: House, actor: Actor, task: Number) -> Item:
    """Undo: take back what was discarded or submitted."""
    return studio.office.desk.reopen(actor, task)


@router.post("/tasks/{task}/flag", status_code=201)
def flag_shown(studio: House, actor: Actor, task: Number, given: Shown) -> Made:
    """Flag an answer that one of one's tasks shows."""
    item = studio.office.desk.open(actor, task)
    messages = [*item.prompt, *_shown(item, given.answer)]
    conversation = Conversation(messages_of(messages, "assistant"))
    model = studio.office.desk.made_by(actor, task, given.answer)
    flags = studio.office.flags
    made = flags.raise_flag(actor, item.project, conversation, given.why, "task", model, lang=item.lang)
    return Made(task=made)


@router.post("/projects/{project}/flags", status_code=201)
def flag(studio: House, actor: Actor, project: Number, given: NewFlag) -> Made:
    """Flag a conversation's last answer."""
    try:
        conversation = Conversation(messages_of(given.messages, "assistant"))
    except ValueError as error:
        raise Unusable(f"the conversation: {error}") from error
    made = studio.office.flags.raise_flag(
        actor, project, conversation, given.why, given.origin, given.model, given.wants, given.lang
    )
    return Made(task=made)


@router.get("/projects/{project}/flags")
def flags(studio: House, actor: Actor, project: Number) -> FlagList:
    """Every flag (reviewers)."""
    return FlagList(flags=studio.office.flags.raised(actor, project))


def _shown(item: Item, at: int | None) -> list[Json]:
    """The messages of the answer that the task shows (at this place)."""
    material = item.material
    if item.kind == "compare" and at is not None and 0 <= at < len(material["answers"]):
        found: list[Json] = material["answers"][at]["messages"]
    elif item.kind == "correct":
        found = material["draft"]
    elif item.kind in ("rate", "review") and "messages" in material["answer"]:
        found = material["answer"]["messages"]
    else:
        raise Unusable("this task shows no such answer")
    return found
