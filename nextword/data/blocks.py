"""datatrove blocks of our cleaning steps: the door between that library and the nouns beside this file.

Each is a thin `PipelineStep`; what it decides is decided by a plain function elsewhere (html_text,
language, quality, first_seen, repeated, masking), which knows nothing of datatrove. A document carries its
provenance in `metadata`, a page's bytes travel in `media`, and what a filter drops is written to the
exclusions with its reason. Blocks hold only paths and settings, so an executor may copy them to another
process or machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.data import Document, Media, MediaType
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.readers.base import BaseReader
from datatrove.pipeline.readers.jsonl import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter

from nextword.common.records import digest, is_held_out
from nextword.data.archive import Page, finished_segments, read_segment
from nextword.data.charset import decode
from nextword.data.first_seen import KeyWriter, Repeats, find_repeats
from nextword.data.html_text import html_text, tidy
from nextword.data.language import language
from nextword.data.masking import masked
from nextword.data.own_text import own_documents
from nextword.data.quality import Thresholds, poor_quality, repetitive, without_notices
from nextword.data.repeated import line_hashes, new_lines, without_repeats
from nextword.data.words import word_count

Pipeline = Iterator[Document]
EXCERPT = 600
ENOUGH_NEW = 2_000
"""Letters not seen before that make any page worth keeping, however much stands around them."""


class ArchiveReader(BaseReader):  # type: ignore[misc]
    """Reads the pages of a crawl. A task takes every world_size-th slice of the archive's segments."""

    name = "archive"

    def __init__(self, crawl: Path, slices: int = 1, own_text: bool = False) -> None:
        super().__init__()
        self.crawl, self.slices, self.own_text = crawl, slices, own_text

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Pipeline:
        """Documents with their bytes in `media`; our own documents, which have text already, come first."""
        if self.own_text and rank == 0:
            for own in own_documents():
                facts = {"url": own.url, "lang": own.lang, "page": own.meta, "bytes": len(own.text.encode())}
                yield Document(text=own.text, id=own.id, metadata=facts)
        segments = finished_segments(self.crawl)
        units = [(segment, piece) for segment in segments for piece in range(self.slices)]
        for segment, piece in units[rank::world_size]:
            for number, page in enumerate(read_segment(segment)):
                if number % self.slices == piece and page.is_document:
                    yield self._document(page)

    def _document(self, page: Page) -> Document:
        facts = {
            "url": page.url, "fetched": page.fetched, "content_type": page.content_type,
            "charset": page.charset, "page": page.meta, "bytes": len(page.body),
        }  # fmt: skip
        self.stat_update("pages")
        self.stat_update("bytes", value=len(page.body), unit="page")
        media = Media(id="body", type=MediaType.DOCUMENT, url=page.url, media_bytes=page.body)
        return Document(text="", id=digest(page.url)[:16], media=[media], metadata=facts)


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
        }


class ExtractText(BaseFilter):  # type: ignore[misc]
    """Bytes to text; drops pages in an unknown encoding, of another kind than text, or without any."""

    name = "text"

    def __init__(self, exclusions: Exclusions | None, whole_page: bool = False) -> None:
        super().__init__(exclusions)
        self.whole_page = whole_page

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Fills in the text."""
        if not doc.media:
            return True
        body: bytes = doc.media.pop().media_bytes
        kind = doc.metadata.pop("content_type").split(";")[0].strip().lower()
        is_html = kind in ("text/html", "application/xhtml+xml") or (not kind and body.lstrip()[:1] == b"<")
        if not is_html and not kind.startswith("text/") and kind not in ("", "application/json"):
            return False, f"not text ({kind})"
        decoded = decode(body, doc.metadata.pop("charset"))
        if decoded is None:
            return False, "unknown encoding"
        text, doc.metadata["encoding"] = decoded
        doc.text = without_notices(html_text(text, self.whole_page) if is_html else tidy(text))
        self.stat_update(f"encoding {doc.metadata['encoding']}")
        self.stat_update("text bytes", value=len(doc.text.encode("utf-8", "replace")), unit="doc")
        return bool(doc.text.strip()) or (False, "no text")


class LanguageFilter(BaseFilter):  # type: ignore[misc]
    """Keeps the languages asked for; with none asked for, names them and keeps all."""

    name = "language"

    def __init__(self, exclusions: Exclusions | None, languages: tuple[str, ...]) -> None:
        super().__init__(exclusions)
        self.languages = languages

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Notes the language in the metadata."""
        found = doc.metadata.get("lang") or language(doc.text)
        doc.metadata["lang"] = found
        return not self.languages or found in self.languages or (False, found or "no letters")


class QualityFilter(BaseFilter):  # type: ignore[misc]
    """Drops what the published rules of thumb call poor."""

    name = "quality"

    def __init__(self, exclusions: Exclusions | None, limits: Thresholds) -> None:
        super().__init__(exclusions)
        self.limits = limits

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Our own documents are taken as they are: they were read by people."""
        reason = "" if _is_own(doc) else poor_quality(doc.text, doc.metadata["lang"], self.limits)
        return not reason or (False, reason)


class RepetitionFilter(BaseFilter):  # type: ignore[misc]
    """Drops what says one thing again and again; stands after the removal of repeated lines."""

    name = "repetition"

    def __init__(self, exclusions: Exclusions | None, limits: Thresholds) -> None:
        super().__init__(exclusions)
        self.limits = limits

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Asks quality.repetitive."""
        reason = "" if _is_own(doc) else repetitive(doc.text, self.limits)
        return not reason or (False, reason)


def _is_own(doc: Document) -> bool:
    page: dict[str, Any] = doc.metadata.get("page") or {}
    return page.get("source") == "nextword"


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


class ExactKeys(PipelineStep):  # type: ignore[misc]
    """Records one key a document: the hash of its words, so that layout and case do not hide a copy."""

    type, name = "🫂 - DEDUP", "exact keys"

    def __init__(self, folder: Path, parts: int) -> None:
        super().__init__()
        self.folder, self.parts = folder, parts

    def run(self, data: Pipeline, rank: int = 0, world_size: int = 1) -> Pipeline:
        """Consumes the pipeline."""
        import xxhash

        writer = KeyWriter(self.folder, rank, self.parts)
        for number, doc in enumerate(data):
            plain = " ".join(doc.text.lower().split())
            writer.add(
                number, np.array([xxhash.xxh64_intdigest(plain.encode("utf-8", "replace"))], dtype=np.uint64)
            )
        writer.flush()
        yield from ()


class LineKeys(PipelineStep):  # type: ignore[misc]
    """Records one key a line."""

    type, name = "🫂 - DEDUP", "line keys"

    def __init__(self, folder: Path, parts: int) -> None:
        super().__init__()
        self.folder, self.parts = folder, parts

    def run(self, data: Pipeline, rank: int = 0, world_size: int = 1) -> Pipeline:
        """Consumes the pipeline."""
        writer = KeyWriter(self.folder, rank, self.parts)
        for number, doc in enumerate(data):
            writer.add(number, line_hashes(doc.text))
        writer.flush()
        yield from ()


class FindRepeats(PipelineStep):  # type: ignore[misc]
    """Finds what was recorded more than once; a task a part."""

    type, name = "🫂 - DEDUP", "find repeats"

    def __init__(self, keys: Path, repeats: Path) -> None:
        super().__init__()
        self.keys, self.repeats = keys, repeats

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Pipeline:
        """Yields nothing; writes the places of the repeats."""
        find_repeats(self.keys, self.repeats, rank)
        yield from ()


class ExactFilter(PipelineStep):  # type: ignore[misc]
    """Drops documents whose words came before, word for word."""

    type, name = "🫂 - DEDUP", "exact duplicates"

    def __init__(self, repeats: Path, exclusions: Exclusions | None = None) -> None:
        super().__init__()
        self.repeats, self.exclusions = repeats, exclusions

    def run(self, data: Pipeline, rank: int = 0, world_size: int = 1) -> Pipeline:
        """The documents seen for the first time."""
        repeats = Repeats(self.repeats, rank)
        for number, doc in enumerate(data):
            if len(repeats.of(number)) == 0:
                yield doc
            elif self.exclusions:
                doc.metadata["filter_reason"] = "the same text came before"
                self.exclusions.write(doc, rank)
        if self.exclusions:
            self.exclusions.close()


class SeenFilter(PipelineStep):  # type: ignore[misc]
    """Drops documents nearly all of whose lines came before; `only_new` strips the others to new lines."""

    type, name = "🫂 - DEDUP", "seen before"

    def __init__(
        self, repeats: Path, least_new: float, exclusions: Exclusions | None = None, only_new: bool = False
    ) -> None:
        super().__init__()
        self.repeats, self.least_new, self.exclusions = repeats, least_new, exclusions
        self.only_new = only_new

    def run(self, data: Pipeline, rank: int = 0, world_size: int = 1) -> Pipeline:
        """The documents that say something new."""
        repeats = Repeats(self.repeats, rank)
        for number, doc in enumerate(data):
            new, share = new_lines(doc.text, repeats.of(number))
            if share >= self.least_new or len(new) >= ENOUGH_NEW:
                doc.text = new if self.only_new else doc.text
                yield doc
            elif self.exclusions:
                doc.metadata["filter_reason"] = f"less than {self.least_new:.0%} of its lines are new"
                self.exclusions.write(doc, rank)
        if self.exclusions:
            self.exclusions.close()


class RepeatedLineFilter(BaseFilter):  # type: ignore[misc]
    """Takes out repeated stretches, then drops documents with fewer than `least_words` left."""

    name = "repeated lines"

    def __init__(
        self, repeats: Path, remove: bool, least_words: int, exclusions: Exclusions, shown: Exclusions
    ) -> None:
        super().__init__(exclusions)
        self.repeats, self.remove, self.least_words, self.shown = repeats, remove, least_words, shown

    def run(self, data: Pipeline, rank: int = 0, world_size: int = 1) -> Pipeline:
        """Counts the bytes of lines (all, seen first here, kept) in the statistics."""
        repeats = Repeats(self.repeats, rank)
        with self.shown:
            yield from super().run(self._shortened(data, repeats, rank), rank, world_size)

    def _shortened(self, data: Pipeline, repeats: Repeats, rank: int) -> Pipeline:
        for number, doc in enumerate(data):
            short = without_repeats(doc.text, repeats.of(number), self.remove)
            before = len(doc.text.encode("utf-8", "replace"))
            after = len(short.text.encode("utf-8", "replace"))
            if short.removed:
                gone = Document(
                    short.removed, doc.id, metadata={**doc.metadata, "removed_bytes": before - after}
                )
                gone.metadata["filter_reason"] = f"{short.removed_lines} lines"
                self.shown.write(gone, rank)
            for label, value in (
                ("bytes before", before), ("bytes after", after), ("line bytes", short.line_bytes),
                ("new line bytes", short.new_bytes), ("kept line bytes", short.kept_bytes),
                ("removed lines", short.removed_lines),
            ):  # fmt: skip
                self.stat_update(label, value=value, unit="doc")
            doc.text = short.text
            yield doc

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Whether enough is left."""
        return word_count(doc.text) >= self.least_words or (False, "nothing new left")


class Masking(PipelineStep):  # type: ignore[misc]
    """Replaces addresses and numbers that name a person."""

    type, name = "✂️ - FORMAT", "masking"

    def run(self, data: Pipeline, rank: int = 0, world_size: int = 1) -> Pipeline:
        """The same documents, masked."""
        for doc in data:
            doc.text, counts = masked(doc.text)
            for kind, count in counts.items():
                self.stat_update(kind, value=count, unit="doc")
            yield doc


class DocumentWriter(JsonlWriter):  # type: ignore[misc]
    """Writes `Document` records of this house, train and heldout apart, a file a task."""

    def __init__(self, folder: Path, heldout_percent: float) -> None:
        super().__init__(str(folder), "${split}/${rank}.jsonl", compression=None)
        self.heldout_percent = heldout_percent

    def write(self, document: Document, rank: int = 0, **kwargs: Any) -> None:
        """One record, to the split that its id belongs to."""
        is_out = is_held_out(document.id, self.heldout_percent)
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
            "sha256": digest(document.text),
            "meta": meta,
        }
