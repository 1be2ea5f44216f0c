"""Projects, and their guide in all its versions."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Annotated, Any, get_type_hints

from fastapi import APIRouter, Query
from pydantic import Field, create_model

from nextword.label import project as domain
from nextword.label.guide import own_guide, own_quiz
from nextword.label.person import Person
from nextword.label.project import ProjectSettings
from nextword.studio.body import LARGEST, Body, Number, Prose, Word
from nextword.studio.door import Actor, House
from nextword.studio.markdown import nodes
from nextword.studio.settings import Studio

router = APIRouter(prefix="/api", tags=["projects"])
_HINTS = get_type_hints(ProjectSettings)
_FIELDS: Any = {
    field.name: (_HINTS[field.name] | None, None) for field in dataclasses.fields(ProjectSettings)
}
SettingsChange = create_model("SettingsChange", __base__=Body, **_FIELDS)
"""Some of a project's settings: one optional field for each, made from the dataclass."""


class Project(Body):
    """A project as a page shows it."""

    id: int
    name: str
    settings: ProjectSettings
    guide: int
    languages: list[str]
    has_quiz: bool
    is_qualified: bool


class ProjectList(Body):
    """All projects."""

    projects: list[Project]


class NewProject(Body):
    """A project to make; without a guide it has our own, and the quiz on it."""

    name: Word
    guide: dict[Word, Prose] | None = None
    settings: SettingsChange | None = None  # type: ignore[valid-type]


class Guide(Body):
    """One version of a guide: its texts, and the same as nodes to show."""

    version: int
    created: datetime
    has_quiz: bool
    texts: dict[str, str]
    pages: dict[str, list[Any]]


class GuideVersion(Body):
    """A version in a list."""

    version: int
    created: datetime


class GuideList(Body):
    """All versions, newest first."""

    guides: list[GuideVersion]


class NewGuide(Body):
    """A new version of the guide."""

    texts: dict[Word, Prose]
    asks_again: bool = False


class Markdown(Body):
    """A text to preview."""

    text: Prose = Field(max_length=1 << 20)


class Rendered(Body):
    """The preview."""

    page: list[Any]


@router.get("/projects")
def projects(studio: House, actor: Actor) -> ProjectList:
    """All projects."""
    return ProjectList(projects=[_shown(studio, actor, each) for each in studio.office.projects.all(actor)])


@router.post("/projects", status_code=201)
def create(studio: House, actor: Actor, given: NewProject) -> Project:
    """Make a project (owners)."""
    settings = ProjectSettings(**_set(given.settings)) if given.settings else None
    guide, quiz = (own_guide(), own_quiz()) if given.guide is None else (given.guide, ())
    return _shown(studio, actor, studio.office.projects.create(actor, given.name, guide, settings, quiz))


@router.get("/projects/{project}")
def project(studio: House, actor: Actor, project: Number) -> Project:
    """One project."""
    return _shown(studio, actor, studio.office.projects.get(actor, project))


@router.patch("/projects/{project}/settings")
def change(studio: House, actor: Actor, project: Number, given: SettingsChange) -> Project:  # type: ignore[valid-type]
    """Change some settings (owners)."""
    return _shown(studio, actor, studio.office.projects.change(actor, project, **_set(given)))


@router.get("/projects/{project}/guide")
def guide(
    studio: House,
    actor: Actor,
    project: Number,
    version: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
) -> Guide:
    """The guide; the newest version unless another is asked for."""
    return _rendered(studio.office.projects.guide(actor, project, version))


@router.get("/projects/{project}/guides")
def guides(studio: House, actor: Actor, project: Number) -> GuideList:
    """Every version of the guide."""
    found = studio.office.projects.guides(actor, project)
    return GuideList(guides=[GuideVersion(version=each.version, created=each.created) for each in found])


@router.post("/projects/{project}/guide", status_code=201)
def publish(studio: House, actor: Actor, project: Number, given: NewGuide) -> Guide:
    """Publish a new version (owners); the quiz stays."""
    made = studio.office.projects.publish(actor, project, given.texts, asks_again=given.asks_again)
    return _rendered(made)


@router.post("/markdown")
def preview(studio: House, actor: Actor, given: Markdown) -> Rendered:
    """Markdown as a page will show it (owners)."""
    actor.must("owner", "preview guides")
    return Rendered(page=nodes(given.text))


def _set(given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.model_dump().items() if value is not None}


def _shown(studio: Studio, actor: Person, found: domain.Project) -> Project:
    return Project(
        id=found.id,
        name=found.name,
        settings=found.settings,
        guide=found.guide.version,
        languages=list(found.guide.texts),
        has_quiz=found.guide.has_quiz,
        is_qualified=studio.office.quizzes.is_qualified(actor, found.id),
    )


def _rendered(found: domain.Guide) -> Guide:
    return Guide(
        version=found.version,
        created=found.created,
        has_quiz=found.has_quiz,
        texts=found.texts,
        pages={lang: nodes(text) for lang, text in found.texts.items()},
    )
