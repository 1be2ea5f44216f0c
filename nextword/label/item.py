"""What a person sees of a task: the prompt, the sides in their order, suggestions, and their own draft.

Made so that a page can show all of it: who made the answers, whether the task is a gold item, and what others
said is not in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nextword.label.kinds import Json, answers_of
from nextword.label.project import ProjectSettings
from nextword.label.schema import LabelRow, SlotRow, SuggestionRow, TaskRow
from nextword.label.sides import order_for, shown
from nextword.label.text import fraction


@dataclass(frozen=True)
class Suggestion:
    """What a machine would answer (ranks in the order shown), and how sure it is (0 to 1)."""

    by: str
    answer: Json
    score: float


@dataclass(frozen=True)
class Item:
    """A task in front of somebody.

    material by kind: `draft` (correct), `answers` (compare; as shown), `answer`, `criteria`, `low`, `high`
    (rate), `answer` (review); `about` is what else is to be shown. state: pending, draft, submitted or
    discarded. `draft` is the last thing the page saved or submitted. is_held: nobody else has the slot.
    """

    task: int
    project: int
    kind: str
    lang: str
    prompt: list[Json]
    material: Json
    about: Json
    suggestions: tuple[Suggestion, ...]
    state: str
    draft: Json | None
    revision: int
    guide: int
    is_held: bool
    leased_until: datetime | None
    seconds: float


def item_of(
    session: Session, settings: ProjectSettings, task: TaskRow, label: LabelRow, slot: SlotRow | None
) -> Item:
    """The task as the label's author sees it."""
    is_held = slot is not None and slot.person_id == label.person_id
    return Item(
        task=task.id,
        project=task.project_id,
        kind=task.kind,
        lang=task.lang,
        prompt=task.prompt,
        material=material_of(task, label.order),
        about=_without_maker(task.material.get("about", {})),
        suggestions=_suggestions(session, settings, task, label.order),
        state=label.state,
        draft=label.draft,
        revision=label.revision,
        guide=label.guide,
        is_held=is_held,
        leased_until=slot.leased_until if slot is not None and is_held else None,
        seconds=label.seconds,
    )


def sides_of(task: TaskRow, slot: int) -> list[int]:
    """The order in which the person in this slot sees the answers."""
    return order_for(task.key, slot, len(answers_of(task.material)))


def material_of(task: TaskRow, order: list[Any]) -> Json:
    """The material in the order of the sides, without who made it."""
    material = {name: item for name, item in task.material.items() if name not in ("by", "about")}
    if "answers" in material:
        material["answers"] = [{"messages": each["messages"]} for each in shown(answers_of(material), order)]
    if task.kind == "rate":
        material["answer"] = {"messages": material["answer"]["messages"]}
    return material


def made_by(task: TaskRow, order: list[Any], at: int | None = None) -> str:
    """Who made an answer that a task shows, by its place where it shows several; "" where nobody knows.

    Labellers are not told: knowing it changes what they think.
    """
    material = task.material
    if task.kind == "compare":
        return str(shown(answers_of(material), order)[at or 0].get("by", ""))
    return str(material.get("answer", material).get("by", ""))


def _without_maker(about: Json) -> Json:
    """What is known of a task, but for the model whose answer was flagged."""
    if "flag" not in about:
        return about
    return {**about, "flag": {name: said for name, said in about["flag"].items() if name != "model"}}


def is_blind(settings: ProjectSettings, key: str) -> bool:
    """Whether a task is kept from machines, so that people's labels on it can measure them."""
    return fraction("blind", key) < settings.blind_share


def _suggestions(
    session: Session, settings: ProjectSettings, task: TaskRow, order: list[Any]
) -> tuple[Suggestion, ...]:
    if not settings.shows_suggestions or is_blind(settings, task.key):
        return ()
    rows = session.scalars(
        select(SuggestionRow).where(SuggestionRow.task_id == task.id).order_by(SuggestionRow.score.desc())
    )
    return tuple(Suggestion(row.by, _as_shown(row.answer, order), row.score) for row in rows)


def _as_shown(answer: Json, order: list[Any]) -> Json:
    return {**answer, "ranks": shown(answer["ranks"], order)} if "ranks" in answer else answer
