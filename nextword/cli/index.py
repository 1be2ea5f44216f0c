"""Index pages for search: cleaned documents, or any record files of documents."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.common.records import Document, read_documents
from nextword.tools.search import SOME, Index


def run(
    pages: Annotated[Path, typer.Argument(help="a run folder, its clean/, or a file of documents")],
    out: Annotated[Path | None, typer.Option(help="the index file", show_default="RUN/search.db")] = None,
) -> None:
    """Add new and changed pages to the index, and forget those that a folder no longer has."""
    files = _files(pages)
    path = out or (pages if pages.is_dir() else pages.parent) / "search.db"
    whole = pages.is_dir()  # a file may be some more pages only
    source = os.path.relpath(files[0].parent.resolve(), path.parent.resolve()) if whole else SOME
    with (
        Progress("index", unit="pages") as progress,
        Index.build(_documents(files), path, progress, source) as index,
    ):
        count = len(index)
    print(f"{path}: {count:,} pages")


def _files(pages: Path) -> list[Path]:
    if pages.is_file():
        return [pages]
    clean = pages / "clean" if (pages / "clean").is_dir() else pages
    found = sorted(clean.glob("train.jsonl*")) + sorted(clean.glob("heldout.jsonl*"))
    if not found:
        raise BadInput("no cleaned documents here", where=pages, do="run `nextword clean` first")
    return found


def _documents(files: list[Path]) -> Iterator[Document]:
    for file in files:
        yield from read_documents(file)
