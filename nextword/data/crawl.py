"""Crawl one site, breadth first: a page is fetched, handed over, and its links join the queue.

    for page in crawl(Site.at("https://docs.example.org/"), Fetcher(Gate()), manners, Limits()):
        archive.write(page)

`crawl` is a generator of everything the site answered (documents, redirects, error pages, failures), so
whoever keeps the pages decides how. It holds no state on disk: given the pages of an earlier run
(`archived`), it walks through them as if it had just fetched them, and goes on where that run was killed.
Only failures are tried again. A redirect is a link like any other: robots.txt, the site's bounds and the gate
judge where it leads.
Left out: sitemaps, cookies, forms, JavaScript.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from nextword.common.errors import Failure
from nextword.data.address import normal, origin, site
from nextword.data.archive import Page
from nextword.data.fetch import Fetch, Response, Unfetched
from nextword.data.links import HTML_TYPES, Look, may_be_text
from nextword.data.manners import REDIRECTS, Manners

MOST_HOPS = 10
TEXT_TYPES = HTML_TYPES | {"text/plain", "text/markdown"}
FOLLOWED = ("", "noindex")
SILENCE = 8
"""So many failures in a row, and the site is taken to be down."""


@dataclass(frozen=True)
class Site:
    """Where a crawl begins and how far it goes; `covers` judges a normal address, `meta` marks each page."""

    seeds: tuple[str, ...]
    covers: Callable[[str], bool]
    meta: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def at(url: str) -> Site:
        """The whole host of an address (a `www.` before it makes no difference)."""
        return Site((url,), lambda link: site(link) == site(url) and may_be_text(link))


@dataclass(frozen=True)
class Limits:
    """How much and how deep. `until` is a time of the clock."""

    max_pages: int = 1000
    max_depth: int = 20
    until: float = float("inf")


def crawl(
    where: Site,
    fetch: Fetch,
    manners: Manners,
    limits: Limits,
    archived: Iterable[Page] = (),
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Page]:
    """Every answer of the site in the order it came; those in `archived` are not fetched or yielded again.

    Raises Failure when the site stops answering.
    """
    return _Crawl(where, fetch, manners, limits).run(archived, clock)


@dataclass(frozen=True)
class _Step:
    url: str
    depth: int
    hops: int = 0


class _Crawl:
    def __init__(self, where: Site, fetch: Fetch, manners: Manners, limits: Limits) -> None:
        self.site, self.fetch, self.manners, self.limits = where, fetch, manners, limits
        self.queue: deque[_Step] = deque()
        self.seen: set[str] = set()
        self.done: set[str] = set()
        self.documents = 0
        self.silent = 0  # failures in a row
        for seed in where.seeds:
            self._enqueue(_Step(seed, 0))

    def run(self, archived: Iterable[Page], clock: Callable[[], float]) -> Iterator[Page]:
        for page in archived:
            self._replay(page)
        while self.queue and self.documents < self.limits.max_pages and clock() < self.limits.until:
            step = self.queue.popleft()
            if step.url in self.done:
                continue
            for answer in self.manners.meet(step.url, self.fetch):
                yield self._page(answer, skip="manners")
            if self.manners.allows(step.url):
                yield from self._visit(step)
            else:
                meta = {**self.site.meta, "skip": "robots.txt forbids it"}
                yield Page(step.url, "", "", "", b"", 200, meta)

    def _replay(self, page: Page) -> None:
        """Walk again through what an earlier run fetched, so that the queue is as it was then."""
        if self.manners.recall(page) or "failure" in page.meta:
            return
        self.done.add(page.url)
        self.seen.add(page.url)
        self.documents += page.is_document
        answer = Response(page.url, page.status, page.headers, page.body)
        step = _Step(page.url, int(page.meta.get("depth", "0")), int(page.meta.get("hops", "0")))
        look = _look(answer)
        self._why_not(answer, look)  # the manners learn the front page
        self._follow(step, answer, look if page.meta.get("skip", "") in FOLLOWED else Look())

    def _visit(self, step: _Step) -> Iterator[Page]:
        notes = {"depth": str(step.depth), "hops": str(step.hops) if step.hops else ""}
        try:
            answer = self.manners.ask(step.url, self.fetch)
        except Unfetched as error:
            self.silent += 1
            yield self._page(error, **notes)
            if self.silent >= SILENCE:
                raise Failure(
                    f"stopped answering ({error.what})",
                    where=origin(step.url),
                    do="run the same command again later: it continues",
                ) from error
            return
        self.silent = 0
        look = _look(answer)
        skip = self._why_not(answer, look)
        self.documents += not skip
        yield self._page(answer, **notes, skip=skip)
        self._follow(step, answer, look if skip in FOLLOWED else Look())

    def _follow(self, step: _Step, answer: Response, look: Look) -> None:
        if answer.status in REDIRECTS:
            there = normal(answer.headers.get("location", ""), step.url)
            if there and step.hops < MOST_HOPS:
                if step.url in self.site.seeds and not self.site.covers(there):
                    self.site = Site.at(there)  # example.org sends us to docs.example.net: that is the site
                self._enqueue(_Step(there, step.depth, step.hops + 1))
        elif look.is_followable and step.depth < self.limits.max_depth:
            for link in look.links:
                self._enqueue(_Step(link, step.depth + 1))

    def _enqueue(self, step: _Step) -> None:
        if step.url not in self.seen and (step.url in self.site.seeds or self.site.covers(step.url)):
            self.seen.add(step.url)
            self.queue.append(step)

    def _why_not(self, answer: Response, look: Look) -> str:
        """Why an answer is no document, or ""."""
        if answer.status != 200:
            return "redirect" if answer.status in REDIRECTS else f"HTTP {answer.status}"
        if answer.content_type not in TEXT_TYPES:
            return f"{answer.content_type} is not text"
        if not answer.body.strip():
            return "empty"
        if self.manners.is_error_page(answer.url, look):
            return "error page"
        return "" if look.is_indexable else "noindex"

    def _page(self, answer: Response | Unfetched, **notes: str) -> Page:
        meta = {**self.site.meta, **{name: value for name, value in notes.items() if value}}
        if isinstance(answer, Unfetched):
            return Page(str(answer.where), "", "", "", b"", 0, {**meta, "failure": answer.what})
        return Page(
            url=answer.url,
            fetched="",
            content_type=answer.content_type,
            charset=answer.charset,
            body=answer.body,
            status=answer.status,
            meta=meta,
            headers=answer.headers,
        )


def _look(answer: Response) -> Look:
    if answer.status != 200 or answer.content_type not in HTML_TYPES:
        return Look()
    return Look.at(answer.url, answer.body, answer.charset)
