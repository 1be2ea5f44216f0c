"""What reviewers see: all tasks, what people disagree about, and how far everything is."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from nextword.label.adjudication import Dispute
from nextword.label.figures import Agreement, Progress, Work
from nextword.label.tasks import TaskSummary
from nextword.studio.body import LARGEST, After, Body, Limit, Number, Word
from nextword.studio.door import Actor, House
from nextword.studio.work import Reason, Submission

router = APIRouter(prefix="/api", tags=["review"])


class TaskList(Body):
    """Tasks by number."""

    tasks: list[TaskSummary]


class Overlap(Body):
    """How many people shall label a task."""

    overlap: int = Field(ge=1, le=LARGEST)


class Questions(Body):
    """How well people agree on each question."""

    questions: list[Agreement]


class WorkList(Body):
    """What each person has done."""

    people: list[Work]


@router.get("/projects/{project}/tasks")
def tasks(
    studio: House,
    actor: Actor,
    project: Number,
    state: Word = "",
    kind: Word = "",
    after: After = 0,
    limit: Limit = 50,
) -> TaskList:
    """All tasks (reviewers)."""
    return TaskList(tasks=studio.office.tasks.find(actor, project, state, kind, after, limit))


@router.put("/tasks/{task}/overlap", status_code=204)
def set_overlap(studio: House, actor: Actor, task: Number, given: Overlap) -> None:
    """Ask more people, or fewer (owners)."""
    studio.office.tasks.set_overlap(actor, task, given.overlap)


@router.post("/tasks/{task}/retire", status_code=204)
def retire(studio: House, actor: Actor, task: Number, given: Reason) -> None:
    """Take a task out of the queues (owners)."""
    studio.office.tasks.retire(actor, task, given.why)


@router.get("/projects/{project}/disputes")
def disputes(studio: House, actor: Actor, project: Number, after: After = 0, limit: Limit = 50) -> TaskList:
    """Tasks on which people disagree (reviewers)."""
    return TaskList(tasks=studio.office.adjudication.disputes(actor, project, after, limit))


@router.get("/tasks/{task}/dispute")
def dispute(studio: House, actor: Actor, task: Number) -> Dispute:
    """One task with what everybody said of it (reviewers)."""
    return studio.office.adjudication.show(actor, task)


@router.post("/tasks/{task}/decision", status_code=204)
def decide(studio: House, actor: Actor, task: Number, given: Submission) -> None:
    """End a disagreement (reviewers)."""
    studio.office.adjudication.decide(actor, task, given.answer)


@router.get("/projects/{project}/progress")
def progress(studio: House, actor: Actor, project: Number) -> Progress:
    """How far the project is."""
    return studio.office.figures.progress(actor, project)


@router.get("/projects/{project}/agreement")
def agreement(studio: House, actor: Actor, project: Number) -> Questions:
    """How well people agree."""
    return Questions(questions=studio.office.figures.agreement(actor, project))


@router.get("/projects/{project}/work")
def work(studio: House, actor: Actor, project: Number) -> WorkList:
    """What each person has done; a labeller sees their own line."""
    return WorkList(people=studio.office.figures.people(actor, project))
