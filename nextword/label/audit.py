"""The audit: everything that was done, by whom and when, so that it can be read but not rewritten.

Three fences. The database refuses UPDATE, DELETE, TRUNCATE and REPLACE on the table (triggers, made by the
migration). Each entry holds SHA-256 over itself and the hash of the entry before, so whoever gets past the
triggers breaks the chain at that place. And every exported dataset records where the chain stood, so that
cutting off its end shows too. `verify` checks all three, and that every submitted label is still the one
whose answer the chain holds.

Entries are appended at the very end of a transaction, under one lock: writers wait for each other only for
the moment of the append, and a lock taken last cannot deadlock with those taken before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nextword.label.person import Person
from nextword.label.schema import AuditRow, DatasetRow, LabelRow, PersonRow, lock

if TYPE_CHECKING:
    from nextword.label.database import Database

BEGINNING = "0" * 64


@dataclass(frozen=True)
class Note:
    """An entry that is not in the chain yet. subject: "task 12", "person p-1a2b3c4d"."""

    action: str
    subject: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """An entry of the chain. `actor` is a pseudonym, or "nobody" before anyone is known."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    facts: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class Verification:
    """What checking the chain found; no problems means that nothing was rewritten."""

    entries: int
    head: str
    problems: tuple[str, ...]


def append(session: Session, now: datetime, actor: Person | None, notes: list[Note]) -> None:
    """Add entries to the chain; the last thing a transaction does."""
    session.flush()
    lock(session, AuditRow)
    number, previous = head(session)
    for note in notes:
        number += 1
        row = AuditRow(
            number=number,
            at=now,
            actor=actor.pseudonym if actor else "nobody",
            action=note.action,
            subject=note.subject,
            facts=canonical(note.facts),
            previous=previous,
        )
        row.hash = previous = link(row)
        session.add(row)


def head(session: Session) -> tuple[int, str]:
    """Number and hash of the last entry."""
    newest = select(AuditRow.number, AuditRow.hash).order_by(AuditRow.number.desc()).limit(1)
    row = session.execute(newest).first()
    return (row.number, row.hash) if row else (0, BEGINNING)


def link(row: AuditRow) -> str:
    """The hash of an entry: over everything in it and the hash before."""
    at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    parts = [row.number, at, row.actor, row.action, row.subject, row.facts, row.previous]
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with one spelling only."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class Audit:
    """Reading and checking the chain."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def entries(self, actor: Person, after: int = 0, limit: int = 100, subject: str = "") -> list[Entry]:
        """Entries with a number above `after`, oldest first, of one subject where one is given."""
        actor.must("owner", "read the audit")
        wanted = select(AuditRow).where(AuditRow.number > after).order_by(AuditRow.number).limit(limit)
        if subject:
            wanted = wanted.where(AuditRow.subject == subject)
        with self.database.read() as session:
            return [_entry(row) for row in session.scalars(wanted)]

    def verify(self) -> Verification:
        """Check the whole chain, the datasets that point into it, and the labels it speaks of."""
        with self.database.read() as session:
            problems = list(_broken_links(session))
            problems += _lost_ends(session)
            problems += _changed_labels(session)
            number, last = head(session)
        return Verification(number, last, tuple(problems))


def _entry(row: AuditRow) -> Entry:
    return Entry(row.number, row.at, row.actor, row.action, row.subject, json.loads(row.facts), row.hash)


def _broken_links(session: Session) -> Iterator[str]:
    previous, expected = BEGINNING, 1
    for row in session.scalars(select(AuditRow).order_by(AuditRow.number).execution_options(yield_per=1000)):
        if row.number != expected:
            yield f"entries {expected} to {row.number - 1} are missing"
        elif row.previous != previous:
            yield f"entry {row.number} does not follow the one before it"
        if row.hash != link(row):
            yield f"entry {row.number} was altered"
        previous, expected = row.hash, row.number + 1


def _lost_ends(session: Session) -> Iterator[str]:
    for dataset in session.scalars(select(DatasetRow).order_by(DatasetRow.id)):
        entry = session.get(AuditRow, dataset.audit_number)
        if dataset.audit_number and (entry is None or entry.hash != dataset.audit_hash):
            yield f"dataset {dataset.name} v{dataset.version} was cut from another history"


def _changed_labels(session: Session) -> Iterator[str]:
    """Labels whose answer is not the one the chain holds (the last submission of each)."""
    submissions = select(AuditRow).where(AuditRow.action == "submit").order_by(AuditRow.number)
    said = {(row.subject, row.actor): row.facts for row in session.scalars(submissions)}
    labels = (
        select(LabelRow, PersonRow.pseudonym)
        .join(PersonRow, PersonRow.id == LabelRow.person_id)
        .where(LabelRow.state == "submitted")
        .order_by(LabelRow.id)
    )
    for label, pseudonym in session.execute(labels):
        facts = said.get((f"task {label.task_id}", pseudonym))
        if facts is None or canonical(json.loads(facts)["answer"]) != canonical(label.answer):
            yield f"the label of {pseudonym} on task {label.task_id} is not what was submitted"
