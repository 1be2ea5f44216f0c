"""Steps that ask what came before: whole pages, nearly whole pages, lines.

Each question takes a stage that records keys, a stage that finds the repeats among them, and a filter that
looks them up (first_seen.py says why). "Before" is the order in which ArchiveReader gives documents: by task,
then by place. Key steps and filters count documents from 0 as they come, so a filter must stand behind
exactly the steps that stood before its keys were recorded; clean_stages.py sees to that.

Near duplicates, which share phrases rather than lines, are datatrove's own blocks: duplicates.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.filters.base_filter import BaseFilter

from nextword.data.blocks.files import Exclusions, Pipeline
from nextword.data.first_seen import KeyWriter, Repeats, find_repeats
from nextword.data.repeated import line_hashes, new_lines, without_repeats
from nextword.data.words import word_count

ENOUGH_NEW = 2_000
"""Letters not seen before that make any page worth keeping, however much stands around them."""


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
                doc.metadata["filter_reason"] = f"less than {self.least_new:.0%} of its text is new"
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
                lines = "1 line" if short.removed_lines == 1 else f"{short.removed_lines:,} lines"
                gone.metadata["filter_reason"] = lines
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
