"""What cleaning reads and writes: the crawl at one end, the documents at the other, and files between.

    ArchiveReader      pages of the crawl, their bytes in `media`
    PageWriter         the extracted pages, a file a task; PageReader reads them again for each later pass
    Exclusions         what a filter dropped, with the reason
    DocumentWriter     what stays, train and heldout apart

Between passes a task reads exactly what it wrote itself: datatrove deals files out to tasks by their order,
which would pair a task with another one's pages as soon as one task had written none. Nothing is compressed
on the way, because these files live for minutes; what is handed on is joined and packed by clean_summary.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datatrove.data import Document, Media, MediaType
from datatrove.pipeline.readers.base import BaseReader
from datatrove.pipeline.readers.jsonl import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter

from nextword.common import records
from nextword.data.archive import Page, finished_segments, read_segment
from nextword.data.own_text import own_documents

Pipeline = Iterator[Document]
EXCERPT = 600
"""Letters of a dropped page that the report can show."""


class ArchiveReader(BaseReader):  # type: ignore[misc]
    """Reads the pages of a crawl. A task takes every world_size-th slice of the archive's segments."""

    name = "archive"

    def __init__(self, crawl: Path, slices: int = 1, own_text: bool = False) -> None:
        super().__init__()
        self.crawl, self.slices, self.own_text = crawl, slices, own_text

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Pipeline:
        """Documents with their bytes in `media`; our own documents, which have text already, come last.

        Last, because of two copies the one that came before stays: who learns from a copy of our docs wants
        them as a source, not as our addition to it.
        """
        segments = finished_segments(self.crawl)
        units = [(segment, piece) for segment in segments for piece in range(self.slices)]
        for segment, piece in units[rank::world_size]:
            for number, page in enumerate(read_segment(segment)):
                if number % self.slices == piece and page.is_document:
                    yield self._document(page)
        if self.own_text and rank == world_size - 1:
            yield from map(self._own_document, own_documents())

    def _document(self, page: Page) -> Document:
        facts = {
            "url": page.url, "fetched": page.fetched, "content_type": page.content_type,
            "charset": page.charset, "page": page.meta, "bytes": len(page.body),
        }  # fmt: skip
        self.stat_update("pages")
        self.stat_update("bytes", value=len(page.body), unit="page")
        media = Media(id="body", type=MediaType.DOCUMENT, url=page.url, media_bytes=page.body)
        return Document(text="", id=records.digest(page.url)[:16], media=[media], metadata=facts)

    def _own_document(self, own: records.Document) -> Document:
        size = len(own.text.encode())
        self.stat_update("own documents")
        self.stat_update("own bytes", value=size, unit="own document")
        facts = {"url": own.url, "lang": own.lang, "page": own.meta, "bytes": size, "own": True}
        return Document(text=own.text, id=own.id, metadata=facts)


class PageWriter(JsonlWriter):  # type: ignore[misc]
    """Keeps the extracted pages between passes, a file a task."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), "${rank}.jsonl", compression=None)


class PageReader(JsonlReader):  # type: ignore[misc]
    """Reads the very file that PageWriter wrote for this task, or nothing if it wrote none."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), compression=None, add_file_path=False)

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Pipeline:
        """The pages of this task, in the order they were written."""
        if self.data_folder.isfile(f"{rank:05d}.jsonl"):
            yield from self.read_file(f"{rank:05d}.jsonl")


class Exclusions(JsonlWriter):  # type: ignore[misc]
    """Where a filter writes what it dropped: one line a document, with the reason and an excerpt."""

    def __init__(self, folder: Path, step: str) -> None:
        super().__init__(str(folder), f"{step}/${{rank}}.jsonl", compression=None)

    def _default_adapter(self, document: Document) -> dict[str, Any]:
        facts = document.metadata
        text = document.text
        return {
            "url": facts["url"],
            "reason": facts.get("filter_reason", ""),
            "bytes": facts.get("removed_bytes") or len(text.encode("utf-8", "replace")) or facts["bytes"],
            "excerpt": text[:EXCERPT],
            "cluster": facts.get("minhash_cluster_id", -1),
            "own": facts.get("own", False),
        }


class DocumentWriter(JsonlWriter):  # type: ignore[misc]
    """Writes `Document` records of this house, train and heldout apart, a file a task."""

    def __init__(self, folder: Path, heldout_percent: float) -> None:
        super().__init__(str(folder), "${split}/${rank}.jsonl", compression=None)
        self.heldout_percent = heldout_percent

    def write(self, document: Document, rank: int = 0, **kwargs: Any) -> None:
        """One record, to the split that its id belongs to."""
        is_out = records.is_held_out(document.id, self.heldout_percent)
        super().write(document, rank, split="heldout" if is_out else "train", **kwargs)

    def _default_adapter(self, document: Document) -> dict[str, Any]:
        facts = document.metadata
        meta = {**(facts.get("page") or {}), "page_bytes": facts["bytes"]}
        if "encoding" in facts:
            meta["encoding"] = facts["encoding"]
        if facts.get("minhash_cluster_id", -1) >= 0:
            meta["cluster"] = facts["minhash_cluster_id"]
        return {
            "id": document.id,
            "text": document.text,
            "url": facts["url"],
            "fetched": facts.get("fetched", ""),
            "lang": facts["lang"],
            "sha256": records.digest(document.text),
            "meta": meta,
            "own": facts.get("own", False),
        }
