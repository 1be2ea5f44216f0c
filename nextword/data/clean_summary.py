"""What a cleaning did, added up from the files its stages left, while those become the files it hands on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nextword.common.records import write_records
from nextword.common.terminal import size
from nextword.data.clean_split import changing_sides, split_records, stage_records

if TYPE_CHECKING:
    from nextword.data.pipeline import Totals

STEPS = ("text", "language", "quality", "exact", "seen", "near", "lines", "repetition")
"""The steps that drop documents, in their order."""
EXAMPLES = 4
MOST_SOURCES = 20_000
Examples = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Dropped:
    """What one step took out: documents, bytes of text (of the page, where there was no text), and why.

    `own` counts those of the documents that are not pages of the crawl but nextword's own text.
    """

    step: str
    documents: int
    bytes: int
    reasons: dict[str, int]
    own: int = 0


@dataclass(frozen=True)
class CleanSummary:
    """What came in, what went, what stayed. Bytes are of UTF-8 text unless named otherwise.

    `pages`, `text_documents` and `text_bytes` are of the crawl, `own_documents` and `own_bytes` of nextword's
    own text that joined it. All that follows is of both together; `train_own` and `heldout_own` are the
    documents of our own among those that stayed.

    `unique_bytes` are the bytes of the lines that stand where the corpus shows them first; `unique_before`
    is their share of all lines of the documents that are no duplicates, `unique_after` their share of the
    lines that the removal of repeated ones left. `languages` and `sources` give (documents, bytes) of what
    stayed.
    """

    pages: int
    page_bytes: int
    text_documents: int
    text_bytes: int
    own_documents: int
    own_bytes: int
    dropped: tuple[Dropped, ...]
    repeated_bytes: int
    repeated_lines: int
    unique_bytes: int
    unique_before: float
    unique_after: float
    train_documents: int
    train_bytes: int
    train_own: int
    heldout_documents: int
    heldout_bytes: int
    heldout_own: int
    languages: dict[str, tuple[int, int]]
    sources: dict[str, tuple[int, int]]
    encodings: dict[str, int]
    masked: dict[str, int]
    step_seconds: dict[str, float]
    seconds: float

    def __str__(self) -> str:
        dropped = ", ".join(f"{step.step} {step.documents:,}" for step in self.dropped) or "nothing"
        pages = "1 page" if self.pages == 1 else f"{self.pages:,} pages"
        own = f"; with nextword's own {self.own_documents:,} documents ({size(self.own_bytes)})"
        trained = "1 document" if self.train_documents == 1 else f"{self.train_documents:,} documents"
        return (
            f"{pages} with {size(self.text_bytes)} of text{own if self.own_documents else ''}\n"
            f"dropped: {dropped}; of the other documents' lines {self.unique_before:.0%} were new, "
            f"{size(self.repeated_bytes)} of repeated ones went\n"
            f"kept {trained} to train on ({size(self.train_bytes)}) and "
            f"{self.heldout_documents:,} to measure on ({size(self.heldout_bytes)})"
            + (f"\n{self.warning}" if self.warning else "")
        )

    @property
    def warning(self) -> str:
        """Says that our own text outweighs the source's, and how to leave it out; or nothing."""
        if self.own_bytes <= self.text_bytes:
            return ""
        own, text = size(self.own_bytes), size(self.text_bytes)
        return (
            f"warning: nextword's own text ({own}) is more than yours ({text}); --no-own-text leaves it out"
        )


@dataclass
class Tally:
    """Documents and bytes by name; forgets the small ones when there are very many names."""

    counts: dict[str, list[int]] = field(default_factory=dict)

    def add(self, name: str, size: int) -> None:
        """One more document."""
        count = self.counts.setdefault(name, [0, 0])
        count[0] += 1
        count[1] += size
        if len(self.counts) > MOST_SOURCES:
            self.counts = dict(self._by_size()[: MOST_SOURCES // 2])

    def largest(self, most: int) -> dict[str, tuple[int, int]]:
        """The largest by bytes."""
        return {name: (count[0], count[1]) for name, count in self._by_size()[:most]}

    def _by_size(self) -> list[tuple[str, list[int]]]:
        return sorted(self.counts.items(), key=lambda item: (-item[1][1], item[0]))


@dataclass
class _Kept:
    documents: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    own: Counter[str] = field(default_factory=Counter)
    languages: Tally = field(default_factory=Tally)
    sources: Tally = field(default_factory=Tally)
    twins: dict[int, str] = field(default_factory=dict)


def gather(work: Path, folder: Path, totals: Totals, hold_out: bool) -> tuple[CleanSummary, Examples]:
    """Write train, heldout and dropped records into `folder`; return the sums, and examples to show."""
    kept = _Kept()
    moved = changing_sides(work / "kept", hold_out)
    for split in ("train", "heldout"):
        write_records(folder / f"{split}.jsonl.zst", _kept_records(work / "kept", split, moved, kept))
    examples: Examples = {}
    dropped = {step: Dropped(step, 0, 0, {}) for step in STEPS}
    write_records(folder / "dropped.jsonl.zst", _dropped_records(work / "dropped", kept, dropped, examples))
    examples["removed"] = _largest(stage_records(work / "dropped" / "removed"))
    return _summary(totals, tuple(dropped.values()), kept), examples


def _kept_records(folder: Path, split: str, moved: frozenset[str], kept: _Kept) -> Iterator[dict[str, Any]]:
    for record in split_records(folder, split, moved):
        size = len(record["text"].encode("utf-8", "replace"))
        kept.documents[split] += 1
        kept.bytes[split] += size
        kept.own[split] += record.pop("own")
        kept.languages.add(record["lang"], size)
        kept.sources.add(source(record["url"]), size)
        cluster = record["meta"].pop("cluster", -1)
        if cluster >= 0:
            kept.twins[cluster] = record["url"]
        yield record


def source(url: str) -> str:
    """Host and first folder or module of an address: what a person would call its source.

    >>> source("http://127.0.0.1:8080/tkinter.ttk.html"), source("file:///home/me/papers/a.pdf")
    ('127.0.0.1/tkinter', 'papers')
    """
    parts = urlsplit(url)
    path = [part for part in parts.path.split("/") if part]
    if parts.scheme == "file":
        return path[-2] if len(path) > 1 else "file"
    first = path[0].split(".")[0] if path else ""
    return f"{parts.hostname or parts.scheme}/{first}".rstrip("/")


def _dropped_records(
    folder: Path, kept: _Kept, dropped: dict[str, Dropped], examples: Examples
) -> Iterator[dict[str, Any]]:
    for step in STEPS:
        documents, size, own, reasons = 0, 0, 0, Counter[str]()
        shown: list[dict[str, Any]] = []
        for record in stage_records(folder / step):
            cluster = record.pop("cluster")
            own += record.pop("own")
            if step == "near":
                record["reason"] = "near duplicate"
                record["twin"] = kept.twins.get(cluster, "")
            documents += 1
            size += record["bytes"]
            reasons[record["reason"]] += 1
            if reasons[record["reason"]] <= 2 and len(shown) < 3 * EXAMPLES:
                shown.append(record)
            yield {"step": step, **record}
        dropped[step] = Dropped(step, documents, size, dict(reasons.most_common(50)), own)
        examples[step] = shown


def _largest(records: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """The few with the most bytes, no two with the same text."""
    best: dict[str, dict[str, Any]] = {}
    for record in records:
        best.setdefault(record["excerpt"], record)
        if len(best) > 10 * EXAMPLES:
            best = dict(sorted(best.items(), key=lambda item: -item[1]["bytes"])[: 2 * EXAMPLES])
    return sorted(best.values(), key=lambda record: -record["bytes"])[: 2 * EXAMPLES]


def _summary(totals: Totals, dropped: tuple[Dropped, ...], kept: _Kept) -> CleanSummary:
    def total(step: str, label: str) -> float:
        return totals.get(step, {}).get(label, 0.0)

    lines = totals.get("repeated lines", {})
    encodings = {
        label.removeprefix("encoding "): int(count)
        for label, count in totals.get("text", {}).items()
        if label.startswith("encoding ")
    }
    line_bytes, new_bytes = lines.get("line bytes", 0.0), lines.get("new line bytes", 0.0)
    return CleanSummary(
        pages=int(total("archive", "pages")),
        page_bytes=int(total("archive", "bytes")),
        text_documents=int(total("language", "total") - total("archive", "own documents")),
        text_bytes=int(total("text", "text bytes")),
        own_documents=int(total("archive", "own documents")),
        own_bytes=int(total("archive", "own bytes")),
        dropped=tuple(step for step in dropped if step.documents),
        repeated_bytes=int(lines.get("bytes before", 0) - lines.get("bytes after", 0)),
        repeated_lines=int(lines.get("removed lines", 0)),
        unique_bytes=int(new_bytes),
        unique_before=new_bytes / line_bytes if line_bytes else 1.0,
        unique_after=new_bytes / lines["kept line bytes"] if lines.get("kept line bytes") else 1.0,
        train_documents=kept.documents["train"],
        train_bytes=kept.bytes["train"],
        train_own=kept.own["train"],
        heldout_documents=kept.documents["heldout"],
        heldout_bytes=kept.bytes["heldout"],
        heldout_own=kept.own["heldout"],
        languages=kept.languages.largest(50),
        sources=kept.sources.largest(30),
        encodings=dict(sorted(encodings.items(), key=lambda item: -item[1])),
        masked={kind: int(count) for kind, count in totals.get("masking", {}).items() if kind != "seconds"},
        step_seconds={step: round(counters.get("seconds", 0.0), 3) for step, counters in totals.items()},
        seconds=0.0,
    )
