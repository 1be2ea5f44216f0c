"""Collect: from a source to an archive of pages that cleaning reads.

    summary = collect(CollectSettings(source="docs/"), Path("runs/mine/crawl"))

The source is the documentation of this Python (`python-docs`), a web site, a folder or a file. Whatever comes
is written as WARC at once, so the work may be killed at any moment and the same command goes on.
`collect.json` is written last: it says what came in, names what did not, and marks the archive as finished.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import read_json, write_json
from nextword.common.outbound import Gate, is_loopback
from nextword.common.progress import Progress
from nextword.common.settings import check_ranges, option
from nextword.common.terminal import size
from nextword.data.address import normal, target
from nextword.data.archive import ArchiveWriter, Page, finished_segments
from nextword.data.crawl import Limits, Site, crawl
from nextword.data.fetch import Fetcher
from nextword.data.folder import check_places, read_folder
from nextword.data.manners import Manners
from nextword.data.pydoc_site import PYTHON, crawl_pydoc, shelves
from nextword.data.warc import MAX_RECORD_BYTES

PYTHON_DOCS = "python-docs"
SUMMARY = "collect.json"
MOST_NAMED, MOST_SHOWN = 200, 5
"""Failures that collect.json names, and that the terminal shows."""
MOST_PAGE_MB = MAX_RECORD_BYTES // 2**23 - 1
"""A file of eight times this size still fits a record of the archive."""
DAY = 24 * 60 * 60
"""Longer than this no page is worth waiting for; and the system's clocks end somewhere."""


@dataclass(frozen=True)
class CollectSettings:
    """What to collect, how much and how politely."""

    source: str = option(PYTHON_DOCS, "python-docs, an address, a folder or a file")
    packages: tuple[str, ...] = option(
        (),
        'packages beside the standard library (python-docs); none given: those nextword uses; "none": none',
    )
    max_pages: int = option(10_000, "documents at most", least=1)
    max_pages_per_package: int = option(150, "documents of one package at most (python-docs)", least=1)
    max_depth: int = option(20, "links to follow from the first page", least=0)
    max_page_mb: float = option(
        8.0, "one page or document at most, in MiB (a file: eight times that)", above=0, most=MOST_PAGE_MB
    )
    time_limit: float = option(0.0, "stop after so many seconds and keep what came; 0: no limit", least=0)
    delay: float = option(
        1.0, "seconds between two requests to a host (none on this machine)", least=0, most=DAY
    )
    timeout: float = option(30.0, "seconds a page may take", above=0, most=DAY)
    tries: int = option(3, "attempts at a page that fails", least=1)
    servers: int = option(2, "pydoc servers side by side (python-docs)", least=1, most=64)
    allow_private: bool = option(False, "allow addresses of private networks and of this machine")

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise BadInput("the source is empty", do="give python-docs, a folder, a file or an address")
        check_ranges(self)


@dataclass
class CollectSummary:
    """What came in. `skipped` counts by reason; `failures` gives the reason by address or path.

    `parts` is by package: version, licence, pages, bytes. `collect.json` names 200 failures at most.
    """

    source: str
    pages: int = 0
    bytes: int = 0
    seconds: float = 0.0
    is_cut: bool = False  # a limit ended it
    skipped: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.pages:,} pages, {size(self.bytes)}, from {self.source} in {self.seconds:,.0f} s"]
        if self.is_cut:
            lines.append("a limit ended it before the source did")
        lines += [f"  {count:6,} left out: {reason}" for reason, count in sorted(self.skipped.items())]
        if self.failed:
            lines.append(f"  {self.failed:6,} failed, such as:")
            lines += [f"         {place}: {why}" for place, why in list(self.failures.items())[:MOST_SHOWN]]
        return "\n".join(lines)

    def told(self, file: Path) -> str:
        """The same, and that `file` (collect.json) names the failures that are not shown."""
        if self.failed <= MOST_SHOWN:
            return str(self)
        named = "all" if self.failed <= MOST_NAMED else f"the first {MOST_NAMED}"
        return f"{self}\n         {named} are in {file}"

    def add(self, page: Page) -> None:
        """Count one answer; what failed before and has come now no longer counts as failed."""
        place = page.meta.get("path") or page.url
        if "failure" in page.meta:
            self.failures.setdefault(place, page.meta["failure"])
        elif page.is_document:
            self.failures.pop(place, None)
            self.pages += 1
            self.bytes += len(page.body)
            self._add_part(page)
        elif (reason := page.meta.get("skip") or f"HTTP {page.status}") != "manners":
            self.skipped[reason] = self.skipped.get(reason, 0) + 1
        self.failed = len(self.failures)

    def _add_part(self, page: Page) -> None:
        if name := page.meta.get("package"):
            facts = {"version": page.meta.get("version", ""), "licence": page.meta.get("licence", "")}
            part = self.parts.setdefault(name, {**facts, "pages": 0, "bytes": 0})
            part["pages"] += 1
            part["bytes"] += len(page.body)


def collect(
    settings: CollectSettings,
    out: Path,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> CollectSummary:
    """Fill the folder `out` with the source's pages; goes on where an earlier, unfinished call was stopped.

    A finished folder with the same settings is left as it is. Raises BadInput for a source that is not there,
    not allowed or holds no text, and for a folder that holds another source or lies in this one; Failure when
    the disk is full or a site stops answering (what came is kept, and the same call goes on). A folder in
    which no document was kept is left as it was found, free for another source.
    """
    if out.exists() and not out.is_dir():
        raise BadInput("is no folder", where=out, do="choose another folder to collect into")
    if finished := _finished(out, settings):
        return finished
    started, is_new = clock(), not out.exists()
    until = started + settings.time_limit if settings.time_limit > 0 else float("inf")
    summary = CollectSummary(settings.source)
    archive = ArchiveWriter(out, {"source": settings.source})
    source = _source(settings, out, archive.so_far, until, clock)
    with archive:
        (out / SUMMARY).unlink(missing_ok=True)
        for page in archive.so_far():
            summary.add(page)
        bar = progress or Progress("collect", unit="pages")
        try:
            with bar as shown, closing(source):
                for page in _bounded(source, lambda: summary.pages < settings.max_pages and clock() < until):
                    if page.body or page.headers or "failure" in page.meta:
                        archive.write(page)
                    summary.add(page)
                    shown.set(summary.pages, f"{size(summary.bytes)}  {_short(page)}")
            if summary.pages == 0:
                raise _nothing(settings, summary, clock() >= until)
        except BaseException:
            if summary.pages == 0:
                _give_up(out, is_new)
            raise
    summary.is_cut = clock() >= until or summary.pages >= settings.max_pages
    summary.seconds = round(clock() - started, 1)
    named = dict(list(summary.failures.items())[:MOST_NAMED])
    write_json(out / SUMMARY, {**asdict(summary), "failures": named, "settings": asdict(settings)})
    return summary


def _bounded(source: Iterator[Page], may_go_on: Callable[[], bool]) -> Iterator[Page]:
    while may_go_on():
        try:
            yield next(source)
        except StopIteration:
            return


Pages = Callable[[], Iterator[Page]]


def _source(
    settings: CollectSettings, out: Path, so_far: Pages, until: float, clock: Callable[[], float]
) -> Generator[Page, None, None]:
    """The pages still to come; BadInput at once for a source that is not there."""
    source = settings.source
    if source == PYTHON_DOCS:
        return _from_pydoc(settings, so_far, until, clock)
    if source.lower().startswith(("http://", "https://")):
        seed = normal(source)
        if seed is None:
            raise BadInput("is not an address we can fetch", where=source, do="give http(s)://host/path")
        return _from_site(seed, settings, so_far, until, clock)
    if not Path(source).exists():
        raise BadInput(
            "no such source", where=source, do="give python-docs, an http(s) address, a folder or a file"
        )
    check_places(Path(source), out)
    return _from_files(settings, so_far)


def _from_pydoc(
    settings: CollectSettings, so_far: Pages, until: float, clock: Callable[[], float]
) -> Generator[Page, None, None]:
    archived: dict[str, list[Page]] = {}
    for page in so_far():
        archived.setdefault(page.meta.get("package", PYTHON), []).append(page)
    yield from crawl_pydoc(
        shelves(settings.packages),
        Limits(settings.max_pages_per_package, settings.max_depth, until),
        archived,
        servers=settings.servers,
        page_seconds=settings.timeout,
        max_bytes=int(settings.max_page_mb * 2**20),
        clock=clock,
    )


def _from_site(
    seed: str, settings: CollectSettings, so_far: Pages, until: float, clock: Callable[[], float]
) -> Generator[Page, None, None]:
    gate = Gate(settings.allow_private)
    fetch = Fetcher(
        gate, seconds=settings.timeout, max_bytes=int(settings.max_page_mb * 2**20), tries=settings.tries
    )

    @functools.cache
    def delay(host: str, port: int) -> float:
        with suppress(BadInput):
            if all(is_loopback(address) for _, address in gate.addresses(host, port)):
                return 0.0
        return settings.delay

    def delay_of(url: str) -> float:
        parts = urlsplit(url)
        return delay((parts.hostname or "").strip("[]"), parts.port or 80)

    limits = Limits(settings.max_pages, settings.max_depth, until)
    yield from crawl(Site.at(seed), fetch, Manners(delay_of), limits, so_far(), clock)


def _from_files(settings: CollectSettings, so_far: Pages) -> Generator[Page, None, None]:
    known = {page.meta.get("path") for page in so_far() if page.is_document}
    for page in read_folder(Path(settings.source), int(settings.max_page_mb * 8 * 2**20)):
        if page.meta["path"] not in known:
            yield page


def _finished(out: Path, settings: CollectSettings) -> CollectSummary | None:
    """The summary of a finished collection with these very settings."""
    if not (out / SUMMARY).exists():
        return None
    said = read_json(out / SUMMARY)
    try:
        same = said.pop("settings") == {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(settings).items()
        }
        return CollectSummary(**said) if same and finished_segments(out) else None
    except (TypeError, AttributeError, KeyError) as error:
        raise Corrupt(
            "is not a summary of ours", where=out / SUMMARY, do="delete it and collect again"
        ) from error


def _give_up(out: Path, is_new: bool) -> None:
    """Take back what was begun in a folder that holds no document (its lock is ours), and our own folder."""
    for path in (*out.glob("pages-*.warc.gz*"), out / ".lock"):
        path.unlink(missing_ok=True)
    if is_new:
        with suppress(OSError):  # somebody has put something else there
            out.rmdir()


def _nothing(settings: CollectSettings, summary: CollectSummary, is_late: bool) -> BadInput:
    """The error for a source that gave no document, in the words of the first failure."""
    if summary.failures:
        place, why = next(iter(summary.failures.items()))
        where = settings.source if place in ("", settings.source) else f"{settings.source} ({place})"
        return BadInput(f"gave no text: {why}", where=where)
    if summary.skipped:
        reason = max(summary.skipped, key=lambda reason: summary.skipped[reason])
        return BadInput(f"gave no text: {reason}", where=settings.source)
    if is_late:
        return BadInput("gave no text in time", where=settings.source, do="allow it more time")
    return BadInput(
        "holds no document", where=settings.source, do="txt, md, html, pdf, docx, hwpx, jsonl ... are read"
    )


def _short(page: Page) -> str:
    """A page's name, short enough for the end of a progress line."""
    name = page.meta.get("path") or (target(page.url) if page.headers else page.url)
    return unquote(name).strip("/")[-48:]
