"""Steps that look at one page alone: its text, its language, its quality, and what names a person in it.

None needs to know another page, so they run anywhere and in one pass. A filter answers True, or False with a
reason that a person can count in the report. Our own documents pass the rules of thumb unasked: people read
them before they were added.
"""

from __future__ import annotations

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.filters.base_filter import BaseFilter

from nextword.data.blocks.files import Exclusions, Pipeline
from nextword.data.charset import decode
from nextword.data.html_text import html_text, tidy
from nextword.data.language import language
from nextword.data.masking import masked
from nextword.data.quality import Thresholds, poor_quality, repetitive, without_notices


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
    """As the reader says, not the page: what a page knows of itself (`metadata["page"]`) anyone can write."""
    return bool(doc.metadata.get("own"))


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
