"""Projects: a body of work with its settings, under a guide that has versions.

A guide is text in one or more languages and a short quiz on it. Publishing a new text makes a new version;
every label keeps the version it was made under, so that a change of the guide shows in the labels, and old
labels can be looked at again. A version may ask everybody to pass the quiz again.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nextword.common.errors import BadInput
from nextword.common.settings import option
from nextword.label.database import Change, Database
from nextword.label.person import Person
from nextword.label.refusals import Conflict, NoSuch
from nextword.label.schema import GuideRow, ProjectRow
from nextword.label.text import checked

MOST_OVERLAP = 50
NEW = "make it with `nextword label init --project NAME`"


@dataclass(frozen=True)
class ProjectSettings:
    """How a project's work is given out and judged."""

    overlap: int = option(1, "how many people label each task, unless the task says otherwise")
    lease_minutes: float = option(30.0, "how long an opened task stays reserved without a sign of life")
    review_share: float = option(0.0, "which share of written and corrected answers a reviewer looks at")
    gold_every: int = option(0, "about one task in so many is a gold item; 0 for none")
    shows_suggestions: bool = option(True, "show what machines suggest, with their scores")
    blind_share: float = option(
        0.1, "which share of tasks is kept from machines and their suggestions, to measure them by"
    )
    quiz_tries: int = option(3, "how often somebody may try the quiz")

    def __post_init__(self) -> None:
        for name, fits, expected in (
            ("overlap", 1 <= self.overlap <= MOST_OVERLAP, f"1 to {MOST_OVERLAP}"),
            ("lease_minutes", 0 < self.lease_minutes <= 10_080, "above 0 and at most a week"),
            ("review_share", 0 <= self.review_share <= 1, "between 0 and 1"),
            ("gold_every", 0 <= self.gold_every <= 1_000_000, "0 to 1,000,000"),
            ("blind_share", 0 <= self.blind_share <= 1, "between 0 and 1"),
            ("quiz_tries", 1 <= self.quiz_tries <= 1_000_000, "1 to 1,000,000"),
        ):
            if not fits:
                raise BadInput(f"{name} is {getattr(self, name)}, expected {expected}")


@dataclass(frozen=True)
class Question:
    """One question of the quiz: its text, what one may choose from, and which is right; words by language."""

    text: dict[str, str]
    choices: tuple[dict[str, str], ...]
    right: int
    why: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not any(self.text.values()) or len(self.choices) < 2 or not 0 <= self.right < len(self.choices):
            raise BadInput(f"quiz question {self.text!r:.60} has no right choice among at least two")
        if not all(any(choice.values()) for choice in self.choices):
            raise BadInput(f"quiz question {self.text!r:.60} has an empty choice")


@dataclass(frozen=True)
class Guide:
    """One version of the guide. `texts` by ISO 639-1 code; the quiz's right answers are not in here."""

    version: int
    texts: dict[str, str]
    has_quiz: bool
    created: datetime

    def text(self, lang: str) -> str:
        """The guide in this language, or in the first that it has."""
        return self.texts.get(lang) or next(iter(self.texts.values()))


@dataclass(frozen=True)
class Project:
    """A project with its settings and the newest version of its guide."""

    id: int
    name: str
    settings: ProjectSettings
    guide: Guide


class Projects:
    """Making, listing and changing projects and their guides."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(
        self,
        actor: Person,
        name: str,
        guide: dict[str, str],
        settings: ProjectSettings | None = None,
        quiz: tuple[Question, ...] = (),
        pass_mark: float = 0.8,
    ) -> Project:
        """A new project with version 1 of its guide."""
        actor.must("owner", "make projects")
        name = checked(name.strip(), "the project's name", most=100)
        settings = settings or ProjectSettings()
        with self.database.write(actor) as change:
            if change.session.scalar(select(ProjectRow.id).where(ProjectRow.name == name)):
                raise Conflict(
                    f"there is a project {name} already", do="choose another name", code="name_taken"
                )
            row = ProjectRow(name=name, settings=dataclasses.asdict(settings), created=change.now)
            change.session.add(row)
            change.session.flush()
            change.note("create project", f"project {row.id}", name=name, settings=row.settings)
            _publish(change, row, guide, quiz, pass_mark, asks_again=False)
            return project_of(change.session, row)

    def all(self, actor: Person) -> list[Project]:
        """All projects, in the order in which they were made."""
        with self.database.read() as session:
            rows = session.scalars(select(ProjectRow).order_by(ProjectRow.id))
            return [project_of(session, row) for row in rows]

    def get(self, actor: Person, project: int | str) -> Project:
        """A project by its number or name."""
        key = ProjectRow.id == project if isinstance(project, int) else ProjectRow.name == project
        with self.database.read() as session:
            row = session.scalar(select(ProjectRow).where(key))
            if row is None:
                raise NoSuch(f"no project {project}", do=NEW)
            return project_of(session, row)

    def change(self, actor: Person, project: int, **settings: Any) -> Project:
        """Change some of the settings. What is already given out keeps its lease and overlap."""
        actor.must("owner", "change settings")
        with self.database.write(actor) as change:
            row = project_row(change.session, project, is_locked=True)
            try:
                new = dataclasses.replace(settings_of(row), **settings)
            except TypeError as error:
                raise BadInput(f"no such setting ({error})") from error
            row.settings = dataclasses.asdict(new)
            change.note("change settings", f"project {row.id}", **settings)
            change.session.flush()
            return project_of(change.session, row)

    def publish(
        self,
        actor: Person,
        project: int,
        texts: dict[str, str] | None = None,
        quiz: tuple[Question, ...] | None = None,
        pass_mark: float | None = None,
        asks_again: bool = False,
    ) -> Guide:
        """A new version of the guide; texts and quiz that are not given stay the last version's."""
        actor.must("owner", "change the guide")
        with self.database.write(actor) as change:
            row = project_row(change.session, project, is_locked=True)
            last = newest_guide(change.session, row.id)
            texts = dict(last.texts) if texts is None else texts
            quiz = questions_of(last) if quiz is None else quiz
            mark = last.pass_mark if pass_mark is None else pass_mark
            return guide_of(_publish(change, row, texts, quiz, mark, asks_again))

    def guide(self, actor: Person, project: int, version: int | None = None) -> Guide:
        """A version of the guide; the newest unless another is asked for."""
        with self.database.read() as session:
            wanted = select(GuideRow).where(GuideRow.project_id == project).order_by(GuideRow.version.desc())
            if version is not None:
                wanted = wanted.where(GuideRow.version == version)
            row = session.scalar(wanted.limit(1))
            if row is None:
                raise NoSuch(f"no version {version or 'at all'} of this guide")
            return guide_of(row)

    def guides(self, actor: Person, project: int) -> list[Guide]:
        """Every version of the guide, newest first."""
        wanted = select(GuideRow).where(GuideRow.project_id == project).order_by(GuideRow.version.desc())
        with self.database.read() as session:
            project_row(session, project)
            return [guide_of(row) for row in session.scalars(wanted)]


def project_row(session: Session, project: int, is_locked: bool = False) -> ProjectRow:
    """The project's row, locked against other writers where asked; NoSuch when there is none."""
    row = session.get(ProjectRow, project, with_for_update={"key_share": True} if is_locked else None)
    if row is None:
        raise NoSuch(f"no project {project}", do=NEW)
    return row


def settings_of(row: ProjectRow) -> ProjectSettings:
    """The settings; those that an older version did not know have their defaults."""
    known = {field.name for field in dataclasses.fields(ProjectSettings)}
    return ProjectSettings(**{name: value for name, value in row.settings.items() if name in known})


def newest_guide(session: Session, project: int) -> GuideRow:
    """The guide as it is now."""
    wanted = select(GuideRow).where(GuideRow.project_id == project).order_by(GuideRow.version.desc()).limit(1)
    row = session.scalar(wanted)
    assert row is not None, "a project is made with its guide"
    return row


def guide_of(row: GuideRow) -> Guide:
    """A guide as everybody may see it."""
    return Guide(row.version, dict(row.texts), bool(row.quiz), row.created)


def questions_of(row: GuideRow) -> tuple[Question, ...]:
    """The quiz of a guide with its right answers."""
    return tuple(Question(**{**each, "choices": tuple(each["choices"])}) for each in row.quiz)


def project_of(session: Session, row: ProjectRow) -> Project:
    """A project as everybody may see it."""
    return Project(row.id, row.name, settings_of(row), guide_of(newest_guide(session, row.id)))


def _publish(
    change: Change,
    project: ProjectRow,
    texts: dict[str, str],
    quiz: tuple[Question, ...],
    pass_mark: float,
    asks_again: bool,
) -> GuideRow:
    if not texts:
        raise BadInput("a guide has a text in at least one language")
    if not 0 < pass_mark <= 1:
        raise BadInput(f"the pass mark is {pass_mark}, expected above 0 and at most 1")
    wanted = select(GuideRow.version).where(GuideRow.project_id == project.id)
    last = change.session.scalar(wanted.order_by(GuideRow.version.desc()).limit(1)) or 0
    row = GuideRow(
        project_id=project.id,
        version=last + 1,
        texts={
            checked(lang, "a language", most=10): checked(text, "the guide") for lang, text in texts.items()
        },
        quiz=[dataclasses.asdict(each) for each in quiz],
        pass_mark=pass_mark,
        asks_again=asks_again,
        by_id=change.actor.id if change.actor else 0,
        created=change.now,
    )
    change.session.add(row)
    change.session.flush()
    change.note("publish guide", f"project {project.id}", version=row.version, texts=row.texts)
    return row
