"""Datasets: numbered versions of what the labels say, each with its file's hash, its recipe and its parent.

A version is cut from one snapshot of the database. It records the recipe (format, sources, kinds), the hash
of the file and of each record, which label each record came from, the version before it, and where the audit
chain stood. So any record of any model's training data can be followed back to who wrote it, a version can be
made again, and the history behind it cannot be swapped. Where nothing changed since the last version there is
no new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from nextword.common.errors import BadInput
from nextword.common.files import sha256
from nextword.common.records import digest, write_records
from nextword.label import audit
from nextword.label.database import Database
from nextword.label.harvest import FORMATS, KINDS_OF, Format, Row, harvest
from nextword.label.kinds import Json
from nextword.label.person import Person
from nextword.label.project import project_row
from nextword.label.refusals import NoSuch
from nextword.label.schema import DatasetRecordRow, DatasetRow, LabelRow, PersonRow
from nextword.label.text import checked

NAMES = (".jsonl", ".jsonl.zst", ".jsonl.xz")


@dataclass(frozen=True)
class Version:
    """A dataset's version. added and removed: records that its parent lacks, and that only its parent has."""

    id: int
    name: str
    version: int
    format: str
    recipe: Json
    path: str
    records: int
    sha256: str
    parent: int | None
    added: int
    removed: int
    created: datetime


@dataclass(frozen=True)
class Source:
    """Where one record of a dataset came from."""

    task: int
    who: str
    is_machine: bool
    guide: int | None


class Datasets:
    """Cutting versions, listing them, and following records back."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def cut(
        self,
        actor: Person,
        project: int,
        name: str,
        format: Format,
        path: Path,
        sources: Sequence[str] = (),
        kinds: Sequence[str] = (),
        has_machines: bool = True,
    ) -> Version:
        """Write the records to `path` (.jsonl, also .zst or .xz) and keep it as the next version of `name`.

        sources (import, flag, both_bad, arena), kinds: only of these. BadInput when nothing is left.
        """
        actor.must("owner", "export")
        name = checked(name, "the dataset's name", most=100)
        if format not in FORMATS or not set(kinds) <= set(KINDS_OF[format]):
            known = "; ".join(f"{each} of {', '.join(KINDS_OF[each])}" for each in FORMATS)
            raise BadInput(
                f"no such format or kind: {format} {' '.join(kinds)}".strip(), do=f"choose {known}"
            )
        recipe: Json = {"sources": list(sources), "kinds": list(kinds), "has_machines": has_machines}
        with self.database.read() as session:
            project_row(session, project)
            stood = audit.head(session)
            rows = list(harvest(session, project, format, sources, kinds, has_machines))
        if not rows:
            raise BadInput("there is nothing to export yet", do="label some tasks first")
        self._check_place(path)
        write_records(path, (row.record for row in rows))
        return self._keep(actor, project, name, format, path, recipe, rows, stood)

    def _check_place(self, path: Path) -> None:
        """BadInput for a name that is no record file's, and where what stands is no version of ours."""
        if not path.name.endswith(NAMES):
            raise BadInput("is no name of a record file", where=path, do=f"end it in {' or '.join(NAMES)}")
        if path.is_file():
            with self.database.read() as session:
                mine = select(DatasetRow.id).where(DatasetRow.sha256 == sha256(path)).limit(1)
                is_mine = session.scalar(mine) is not None
            if not is_mine:
                what, do = "stands there already, and is no dataset of these labels", "choose another name"
                raise BadInput(what, where=path, do=do)

    def versions(self, actor: Person, project: int, name: str = "") -> list[Version]:
        """The versions of one dataset, or of all, oldest first."""
        wanted = select(DatasetRow).where(DatasetRow.project_id == project).order_by(DatasetRow.id)
        wanted = wanted.where(DatasetRow.name == name) if name else wanted
        with self.database.read() as session:
            return [_version(session, row) for row in session.scalars(wanted)]

    def version(self, actor: Person, dataset: int) -> Version:
        """One version, with where its file lies."""
        actor.must("owner", "export")
        with self.database.read() as session:
            row = session.get(DatasetRow, dataset)
            if row is None:
                raise NoSuch(f"no dataset {dataset}")
            return _version(session, row)

    def trace(self, actor: Person, dataset: int, number: int) -> list[Source]:
        """Who made record `number` (from 0) of a dataset, and under which version of the guide."""
        actor.must("reviewer", "trace records")
        with self.database.read() as session:
            record = session.get(DatasetRecordRow, (dataset, number))
            if record is None:
                raise NoSuch(f"no record {number} in dataset {dataset}")
            wanted = (
                select(LabelRow, PersonRow)
                .join(PersonRow, PersonRow.id == LabelRow.person_id)
                .where(LabelRow.task_id == record.task_id, LabelRow.state == "submitted")
                .order_by(LabelRow.id)
            )
            if record.label_id is not None:
                wanted = wanted.where(LabelRow.id == record.label_id)
            return [
                Source(record.task_id, person.pseudonym, person.is_machine, label.guide)
                for label, person in session.execute(wanted)
            ]

    def _keep(
        self,
        actor: Person,
        project: int,
        name: str,
        format: Format,
        path: Path,
        recipe: Json,
        rows: list[Row],
        stood: tuple[int, str],
    ) -> Version:
        with self.database.write(actor) as change:
            project_row(change.session, project, is_locked=True)
            same = (DatasetRow.project_id == project) & (DatasetRow.name == name)
            last = change.session.scalar(
                select(DatasetRow).where(same).order_by(DatasetRow.version.desc()).limit(1)
            )
            hashes = [digest(audit.canonical(row.record)) for row in rows]
            if last is not None and last.format == format and _hashes(change.session, last.id) == hashes:
                return _version(change.session, last)
            row = DatasetRow(
                project_id=project,
                name=name,
                version=last.version + 1 if last else 1,
                parent_id=last.id if last else None,
                format=format,
                recipe=recipe,
                path=str(path),
                records=len(rows),
                sha256=sha256(path),
                audit_number=stood[0],
                audit_hash=stood[1],
                by_id=actor.id,
                created=change.now,
            )
            change.session.add(row)
            change.session.flush()
            lines = [
                {
                    "dataset_id": row.id,
                    "number": n,
                    "task_id": each.task,
                    "label_id": each.label,
                    "sha256": hash,
                }
                for n, (each, hash) in enumerate(zip(rows, hashes, strict=True))
            ]
            change.session.execute(insert(DatasetRecordRow), lines)
            facts = {"name": name, "version": row.version, "records": row.records, "sha256": row.sha256}
            change.note("cut dataset", f"dataset {row.id}", **facts)
            return _version(change.session, row)


def _hashes(session: Session, dataset: int) -> list[str]:
    wanted = select(DatasetRecordRow.sha256).where(DatasetRecordRow.dataset_id == dataset)
    return list(session.scalars(wanted.order_by(DatasetRecordRow.number)))


def _version(session: Session, row: DatasetRow) -> Version:
    ours = set(_hashes(session, row.id))
    theirs = set(_hashes(session, row.parent_id)) if row.parent_id else set()
    return Version(
        row.id,
        row.name,
        row.version,
        row.format,
        row.recipe,
        row.path,
        row.records,
        row.sha256,
        row.parent_id,
        len(ours - theirs),
        len(theirs - ours),
        row.created,
    )
