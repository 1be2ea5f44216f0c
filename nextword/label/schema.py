"""The tables. One task has slots (how many people shall label it) and labels (what each of them made of it).

    person ── session, invitation, attempt (to log in)
    project ── guide (versions, with the quiz) ── quiz_attempt
       └── task ── slot       a reservation with a lease: who may fill it, until when, is it filled
             ├── label        one person's work on one task, from opening it to submitting it
             ├── suggestion   what a machine would answer, with its score
             └── decision     what holds in the end, and how it came to hold
    dataset ── dataset_record       what was exported, from which labels
    audit                           append-only, hash-chained; UPDATE and DELETE are refused by triggers

Uniqueness is the database's business, not the program's: a person has one label a task, a slot has one
holder, a task has one decision, a record is imported once. So whatever runs at once, nothing is duplicated.
Answers are JSON whose shape belongs to the task's kind (kinds.py). The tables are made by the migrations
beside this file; a test holds the two equal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

REVISION = "0001"
"""The migration that makes these tables; opening compares it before it loads alembic."""


class Instant(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets the time zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a naive time is a bug of ours."""
        if value is None:
            return None
        assert value.tzinfo is not None, "times carry their zone"
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From UTC."""
        return None if value is None else value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own form)
        datetime: Instant(),
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        str: Text(),
    }


def lock(session: Session, table: type[Base]) -> None:
    """Let one writer at a time into a table. On SQLite every writer is alone anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"LOCK TABLE {table.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))


class PersonRow(Base):
    """An account. Machines have no password and cannot log in."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    pseudonym: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    is_machine: Mapped[bool]
    is_active: Mapped[bool]
    password: Mapped[str | None]
    created: Mapped[datetime]


class SessionRow(Base):
    """Somebody who is logged in; only the token's hash is kept."""

    __tablename__ = "session"
    token: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    created: Mapped[datetime]
    expires: Mapped[datetime]


class AttemptRow(Base):
    """A try to log in that has not succeeded."""

    __tablename__ = "attempt"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)


class InvitationRow(Base):
    """A link that makes accounts of one role; only the token's hash is kept."""

    __tablename__ = "invitation"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    uses_left: Mapped[int]
    created: Mapped[datetime]
    expires: Mapped[datetime]


class ProjectRow(Base):
    """A body of work under one guide; `settings` are a ProjectSettings."""

    __tablename__ = "project"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    settings: Mapped[dict[str, Any]]
    created: Mapped[datetime]


class GuideRow(Base):
    """One version of a project's guide, in one or more languages, with its quiz."""

    __tablename__ = "guide"
    __table_args__ = (UniqueConstraint("project_id", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    version: Mapped[int]
    texts: Mapped[dict[str, Any]]
    quiz: Mapped[list[Any]]
    pass_mark: Mapped[float]
    asks_again: Mapped[bool]
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created: Mapped[datetime]


class QuizAttemptRow(Base):
    """One try at the quiz of one version."""

    __tablename__ = "quiz_attempt"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    version: Mapped[int]
    score: Mapped[float]
    has_passed: Mapped[bool]
    is_forgiven: Mapped[bool]
    at: Mapped[datetime]


class TaskRow(Base):
    """One thing to label. The smaller its `priority`, the sooner it comes; 0 is ordinary.

    `key` is the hash of what it asks, so that importing twice makes it once. `gold` is the expected answer of
    a gold item. `about_label` is the label a review task is about (no foreign key: it would close a circle).
    """

    __tablename__ = "task"
    __table_args__ = (
        UniqueConstraint("project_id", "key"),
        Index("task_queue", "project_id", "state", "priority", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    key: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str]
    priority: Mapped[int]
    overlap: Mapped[int]
    lang: Mapped[str]
    prompt: Mapped[list[Any]]
    material: Mapped[dict[str, Any]]
    gold: Mapped[dict[str, Any] | None]
    source: Mapped[str]
    origin: Mapped[dict[str, Any]]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"), index=True)
    about_label: Mapped[int | None] = mapped_column(index=True)
    created: Mapped[datetime]


class SlotRow(Base):
    """One of a task's places: free, reserved until the lease ends, or filled."""

    __tablename__ = "slot"
    __table_args__ = (UniqueConstraint("task_id", "number"), UniqueConstraint("task_id", "person_id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    number: Mapped[int]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    leased_until: Mapped[datetime | None]
    is_filled: Mapped[bool]


class LabelRow(Base):
    """One person's work on one task.

    state: pending (opened), draft, submitted, discarded, or lapsed (opened, then given to somebody else).
    verdict: "" (no review wanted), waiting, accepted, amended (then `final` holds the reviewer's), rejected.
    """

    __tablename__ = "label"
    __table_args__ = (UniqueConstraint("task_id", "person_id"), Index("label_queue", "person_id", "state"))
    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    state: Mapped[str]
    order: Mapped[list[Any]] = mapped_column("sides")
    draft: Mapped[dict[str, Any] | None]
    revision: Mapped[int]
    answer: Mapped[dict[str, Any] | None]
    guide: Mapped[int]
    score: Mapped[float | None]
    is_right: Mapped[bool | None]
    verdict: Mapped[str]
    final: Mapped[dict[str, Any] | None]
    opened: Mapped[datetime]
    touched: Mapped[datetime]
    seconds: Mapped[float]
    submitted: Mapped[datetime | None]


class SuggestionRow(Base):
    """What a machine would answer."""

    __tablename__ = "suggestion"
    __table_args__ = (UniqueConstraint("task_id", "by"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    by: Mapped[str] = mapped_column(index=True)
    answer: Mapped[dict[str, Any]]
    score: Mapped[float]
    at: Mapped[datetime]


class DecisionRow(Base):
    """What holds for a task that asks for a judgement, and how: single, agreement, majority, adjudication or
    machine."""

    __tablename__ = "decision"
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), primary_key=True)
    answer: Mapped[dict[str, Any]]
    method: Mapped[str]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    score: Mapped[float | None]
    at: Mapped[datetime]


class DatasetRow(Base):
    """One exported version of a dataset: which file, made from what, and where the audit stood."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("project_id", "name", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    name: Mapped[str]
    version: Mapped[int]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id"))
    format: Mapped[str]
    recipe: Mapped[dict[str, Any]]
    path: Mapped[str]
    records: Mapped[int]
    sha256: Mapped[str]
    audit_number: Mapped[int]
    audit_hash: Mapped[str]
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created: Mapped[datetime]


class DatasetRecordRow(Base):
    """Which task, and which label where one person wrote it, a line of an exported file came from."""

    __tablename__ = "dataset_record"
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), index=True)
    label_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"), index=True)
    sha256: Mapped[str]


class AuditRow(Base):
    """One thing that was done. `facts` is canonical JSON; `hash` covers it and the entry before."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    facts: Mapped[str]
    previous: Mapped[str]
    hash: Mapped[str]
