"""Files in and out, and the audit: what an owner takes care of."""

from __future__ import annotations

import dataclasses
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import Field
from starlette.responses import FileResponse, Response

from nextword.common.files import sha256
from nextword.label.audit import Entry, Verification
from nextword.label.datasets import Source, Version
from nextword.label.harvest import Format
from nextword.label.intake import Imported
from nextword.label.refusals import NoSuch
from nextword.label.tokens import mint
from nextword.studio.body import LARGEST, After, Body, Limit, Number, Word
from nextword.studio.door import Actor, House

router = APIRouter(prefix="/api", tags=["records"])
LINES = {"requestBody": {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}}


class Dataset(Body):
    """A version of a dataset; where its file lies is the server's business."""

    id: int
    name: str
    version: int
    format: str
    recipe: dict[str, Any]
    records: int
    sha256: str
    parent: int | None
    added: int
    removed: int
    created: datetime


class DatasetList(Body):
    """Every version, oldest first."""

    datasets: list[Dataset]


class Recipe(Body):
    """What to export."""

    format: Format
    name: Annotated[Word, Field(max_length=100)] = ""
    sources: list[Word] = Field([], max_length=10)
    kinds: list[Word] = Field([], max_length=10)
    has_machines: bool = True


class Done(Body):
    """What an import did."""

    made: int
    known: int
    skipped: dict[str, int]


class Sources(Body):
    """Who made a record."""

    sources: list[Source]


class Entries(Body):
    """A part of the audit."""

    entries: list[Entry]


@router.post("/projects/{project}/import", openapi_extra=LINES)
async def import_(
    studio: House,
    actor: Actor,
    project: Number,
    request: Request,
    file: Word = "import.jsonl",
    kind: Word = "",
    overlap: Annotated[int | None, Query(ge=1, le=50)] = None,
    gold: bool = False,
) -> Done:
    """Make tasks of a JSON Lines file (owners)."""
    actor.must("owner", "import")

    def read(folder: str) -> Imported:
        return studio.office.intake.read(actor, project, path, kind, overlap, gold)

    with tempfile.TemporaryDirectory(prefix="nextword-") as folder:
        path = Path(folder) / f"{_plain(file.removesuffix('.jsonl')) or 'import'}.jsonl"
        with path.open("wb") as out:
            async for chunk in request.stream():
                out.write(chunk)
        done = await run_in_threadpool(read, folder)
    return Done(made=done.made, known=done.known, skipped=dict(done.skipped))


@router.post("/projects/{project}/datasets", status_code=201)
def cut(studio: House, actor: Actor, project: Number, given: Recipe) -> Dataset:
    """Export the next version of a dataset (owners)."""
    actor.must("owner", "export")
    name = given.name or given.format
    path = studio.exports / f"{project}-{_plain(name)}-{mint()[:8]}.jsonl"
    made = studio.office.datasets.cut(
        actor, project, name, given.format, path, given.sources, given.kinds, given.has_machines
    )
    if made.path != str(path):  # nothing has changed since that version
        path.unlink(missing_ok=True)
    return _shown(made)


@router.get("/projects/{project}/datasets")
def datasets(studio: House, actor: Actor, project: Number) -> DatasetList:
    """Every version (owners)."""
    actor.must("owner", "see exports")
    return DatasetList(datasets=[_shown(each) for each in studio.office.datasets.versions(actor, project)])


@router.get("/datasets/{dataset}/file", response_class=FileResponse)
def download(studio: House, actor: Actor, dataset: Number) -> Response:
    """The file of a version (owners), if it is still the one that was written."""
    found = studio.office.datasets.version(actor, dataset)
    path = Path(found.path)
    if not path.is_file() or sha256(path) != found.sha256:
        raise NoSuch("the file is gone or was changed", do="export again")
    name = f"{_plain(found.name)}-v{found.version}{''.join(path.suffixes[-2:])}"
    return FileResponse(path, media_type="application/x-ndjson", filename=name)


@router.get("/datasets/{dataset}/records/{record}")
def trace(
    studio: House, actor: Actor, dataset: Number, record: Annotated[int, Field(ge=0, le=LARGEST)]
) -> Sources:
    """Who made a record (reviewers)."""
    return Sources(sources=studio.office.datasets.trace(actor, dataset, record))


@router.get("/audit")
def audit(studio: House, actor: Actor, after: After = 0, limit: Limit = 100, subject: Word = "") -> Entries:
    """What was done, by whom and when (owners)."""
    return Entries(entries=studio.office.audit.entries(actor, after, limit, subject))


@router.post("/audit/verify")
def verify(studio: House, actor: Actor) -> Verification:
    """Check that nothing was rewritten (owners)."""
    actor.must("owner", "check the audit")
    return studio.office.audit.verify()


def _plain(name: str) -> str:
    """A name that any file system takes."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)[:60].strip(
        "-"
    )


def _shown(found: Version) -> Dataset:
    given = dataclasses.asdict(found)
    del given["path"]
    return Dataset(**given)
