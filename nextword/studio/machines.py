"""Machines: the arena where two of them answer, and the judges that may decide alone."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from nextword.common.dialogue import messages_of, plain
from nextword.common.language_model import Failed, LanguageModel, Request, Sampling, Token
from nextword.common.records import Conversation
from nextword.label.arena import Reveal
from nextword.label.autonomy import Autonomy
from nextword.label.item import Item
from nextword.label.judge import Alone, Moved, Opined
from nextword.label.kinds import Json
from nextword.label.refusals import Conflict, Unusable
from nextword.studio.body import Body, Number, Prose, Word
from nextword.studio.door import Actor, House

router = APIRouter(prefix="/api", tags=["machines"])
ANSWER = Sampling(temperature=0.7, top_p=0.95, max_new_tokens=256)


class Standings(Body):
    """The ratings, best first, and whether the server has models to battle."""

    can_battle: bool
    ratings: list[dict[str, Any]]


class Challenge(Body):
    """What to ask two models."""

    prompt: Annotated[Prose, Field(max_length=20_000)] | list[Json]
    lang: Annotated[Word, Field(max_length=10)] = ""


class Vote(Body):
    """The better place as shown, "tie" or "bad"."""

    choice: int | Word


class JudgeList(Body):
    """The machines that have answered tasks."""

    judges: list[Opined]


class Slider(Body):
    """How sure a judge must be to decide alone; null: never."""

    name: Word
    threshold: float | None


class Decisions(Body):
    """What machines decided alone."""

    decisions: list[Alone]


@router.get("/projects/{project}/arena")
def standings(studio: House, actor: Actor, project: Number, machines: bool = False) -> Standings:
    """The models' ratings with their intervals."""
    rated = studio.office.arena.ratings(actor, project, has_machines=machines)
    ratings = [dataclasses.asdict(each) for each in rated]
    return Standings(can_battle=len(studio.models) > 1, ratings=ratings)


@router.post("/projects/{project}/battles", status_code=201)
def battle(studio: House, actor: Actor, project: Number, given: Challenge) -> Item:
    """Two models answer; who they are is told after the vote."""
    if len(studio.models) < 2:
        raise Conflict("there are no two models here", do="serve with two --model", code="no_models")
    try:
        prompt = messages_of(given.prompt, "user")
    except ValueError as error:
        raise Unusable(f"the prompt: {error}") from error
    if not prompt or prompt[-1].role != "user":
        raise Unusable("the prompt ends with a question", code="empty", facts={"what": "the prompt"})
    studio.office.arena.must_be_able(actor, project)
    chosen = studio.chance.sample(list(studio.models), 2)
    seed = studio.chance.randrange(1 << 31)
    with studio.generating:
        answers = {each.capabilities.name: _said(each, Conversation(prompt), seed) for each in chosen}
    return studio.office.arena.battle(actor, project, plain(prompt), answers, given.lang)


@router.post("/tasks/{task}/vote")
def vote(studio: House, actor: Actor, task: Number, given: Vote) -> Reveal:
    """Vote, and learn who they were."""
    return studio.office.arena.vote(actor, task, given.choice)


@router.get("/tasks/{task}/reveal")
def reveal(studio: House, actor: Actor, task: Number) -> Reveal:
    """Who they were, for who has voted."""
    return studio.office.arena.reveal(actor, task)


@router.get("/projects/{project}/judges")
def judges(studio: House, actor: Actor, project: Number) -> JudgeList:
    """The machines that have answered tasks (reviewers)."""
    return JudgeList(judges=studio.office.judges.known(actor, project))


@router.get("/projects/{project}/autonomy")
def autonomy(
    studio: House,
    actor: Actor,
    project: Number,
    name: Word,
    margin: Annotated[float, Query(ge=0, le=1)] = 0.05,
) -> Autonomy:
    """What each position of a judge's slider would mean (reviewers)."""
    return studio.office.judges.autonomy(actor, project, name, margin)


@router.put("/projects/{project}/autonomy")
def set_autonomy(studio: House, actor: Actor, project: Number, given: Slider) -> Moved:
    """Move the slider (owners)."""
    return studio.office.judges.set_autonomy(actor, project, given.name, given.threshold)


@router.get("/projects/{project}/alone")
def alone(studio: House, actor: Actor, project: Number, name: Word = "") -> Decisions:
    """What machines decided alone, the least sure first (reviewers)."""
    return Decisions(decisions=studio.office.judges.decided_alone(actor, project, name))


def _said(model: LanguageModel, conversation: Conversation, seed: int) -> str:
    text = ""
    for event in model.generate([Request(conversation, ANSWER, seed=seed)]):
        if isinstance(event, Failed):
            raise Conflict(f"a model could not answer: {event.error}", do="ask something else")
        text += event.text if isinstance(event, Token) else ""
    return text.strip() or "(no answer)"
