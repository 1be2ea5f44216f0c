"""The default web site: the documentation of this very Python installation, as pydoc serves it.

Its address is `http://pydoc.localhost/`, whatever port the server got, so that a document keeps its id from
run to run. pydoc's server answers one request at a time and imports what it documents; so the site is crawled
shelf by shelf (the standard library with the language reference, then one package after another), each shelf
within one server, `servers` of them side by side. A page that hangs costs its server, not the crawl.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from nextword.common.errors import BadInput, Failure
from nextword.common.outbound import Gate
from nextword.data.archive import Page
from nextword.data.child import Child
from nextword.data.crawl import Limits, Site, crawl
from nextword.data.fetch import Fetcher, Response, Unfetched
from nextword.data.manners import Manners
from nextword.data.merge import merged
from nextword.data.pydoc_server import is_served

ORIGIN = "http://pydoc.localhost"
START_SECONDS = 30.0
PYTHON = "python"


@dataclass(frozen=True)
class Shelf:
    """A part of the site: the modules under some names, and where they come from."""

    name: str
    modules: frozenset[str]
    version: str = ""
    licence: str = ""
    bytes: int = 0

    def site(self) -> Site:
        """What the crawler needs to know of it."""
        pages = ("index", "topics", "keywords") if self.name == PYTHON else sorted(self.modules)
        meta = {"package": self.name, "version": self.version, "licence": self.licence}
        return Site(tuple(f"{ORIGIN}/{page}.html" for page in pages), self._covers, meta)

    def _covers(self, address: str) -> bool:
        parts = urlsplit(address)
        if parts.netloc != "pydoc.localhost":
            return False
        if parts.path == "/topic":
            return self.name == PYTHON
        module = parts.path.removeprefix("/").removesuffix(".html")
        is_page = parts.path.endswith(".html") and not parts.query
        return is_page and module.split(".")[0] in self.modules and is_served(module)


def shelves(packages: Sequence[str] = ()) -> list[Shelf]:
    """The standard library, then the packages, largest first so that the last to end is small.

    No `packages` means those that nextword itself depends on; "none" means the standard library alone.
    Raises BadInput for a package that is not installed.
    """
    names = [] if tuple(packages) == ("none",) else list(packages) or _dependencies("nextword")
    return [library(), *sorted((_shelf(name) for name in names), key=lambda shelf: -shelf.bytes)]


def library() -> Shelf:
    """The standard library and the language reference."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Shelf(PYTHON, frozenset(sys.stdlib_module_names), version, "PSF-2.0")


def crawl_pydoc(
    parts: Sequence[Shelf],
    limits: Limits,
    archived: Mapping[str, Sequence[Page]],
    *,
    servers: int = 2,
    page_seconds: float = 30.0,
    max_bytes: int = 8 << 20,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Page]:
    """Every answer of the site, shelves side by side; closing the iterator ends the servers.

    `limits.max_pages` is for each package, not for the library. `archived` has the pages of an earlier run.
    """
    manners = Manners(lambda url: 0.0)
    children = [PydocServer(page_seconds, max_bytes, limits.until, clock) for _ in range(servers)]
    todo: queue.SimpleQueue[Shelf] = queue.SimpleQueue()
    for shelf in parts:
        todo.put(shelf)

    def shelf_after_shelf(server: PydocServer, known: Mapping[str, Sequence[Page]]) -> Iterator[Page]:
        while clock() < limits.until:
            try:
                shelf = todo.get_nowait()
            except queue.Empty:
                return
            bound = replace(limits, max_pages=sys.maxsize) if shelf.name == PYTHON else limits
            with contextlib.suppress(Failure):  # a package whose pages all fail: each is named already
                yield from crawl(shelf.site(), server, manners, bound, known.get(shelf.name, ()), clock)

    def close() -> None:
        for server in children:
            server.close()

    try:
        first = [*_front(children[0], manners, limits, archived)]  # before any two ask side by side
        yield from first
        known = {**archived, PYTHON: [*archived.get(PYTHON, ()), *first]}
        yield from merged([shelf_after_shelf(server, known) for server in children], close)
    finally:
        close()


def _front(
    server: PydocServer, manners: Manners, limits: Limits, archived: Mapping[str, Sequence[Page]]
) -> Iterator[Page]:
    """The module index, and how the site answers for a page it does not have."""
    index = f"{ORIGIN}/index.html"
    before = [
        page for page in archived.get(PYTHON, ()) if page.url == index or page.meta.get("skip") == "manners"
    ]
    only = Site((index,), lambda address: False, library().site().meta)
    return crawl(only, server, manners, limits, before)


class PydocServer:
    """One server, as a fetcher of the site's pages; replaced by a fresh one when a page hangs or kills it."""

    def __init__(self, page_seconds: float, max_bytes: int, until: float, clock: Callable[[], float]) -> None:
        self.page_seconds, self.until, self.clock = page_seconds, until, clock
        self._fetcher = Fetcher(Gate(allow_private=True), max_bytes=max_bytes, tries=1)
        self._child: Child | None = None
        self._port = ""
        self._lock = threading.Lock()
        self._is_closed = False

    def __call__(self, url: str) -> Response:
        """Fetch a page of the site. Raises Unfetched."""
        try:
            self._start()
            self._fetcher.seconds = min(self.page_seconds, max(self.until - self.clock(), 1.0))
            answer = self._fetcher(url.replace(ORIGIN, f"http://127.0.0.1:{self._port}", 1))
            if not answer.body:  # pydoc sends the status before it imports the module
                raise Failure("the module ended the server that imported it")
        except (Unfetched, Failure) as error:
            self._stop()
            raise Unfetched(error.what, where=url) from error
        return replace(answer, url=url)

    def close(self) -> None:
        """End the server, in whatever it is doing; it will not start again."""
        self._is_closed = True
        self._stop()

    def _start(self) -> None:
        with self._lock:
            if self._is_closed:
                raise Failure("the crawl has ended")
            if self._child is None:
                self._child = Child("nextword.data.pydoc_server")
                self._port = self._child.line(START_SECONDS)

    def _stop(self) -> None:
        with self._lock:
            if self._child is not None:
                self._child.kill()
                self._child = None


def _dependencies(name: str) -> list[str]:
    """The distributions that a distribution needs, extras left out."""
    found = [
        re.match(r"[\w.-]+", line)
        for line in importlib.metadata.requires(name) or ()
        if "extra ==" not in line
    ]
    return [match[0] for match in found if match]


def _shelf(name: str) -> Shelf:
    """The shelf of a distribution (or of an import name, when its distribution is called otherwise)."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        owners = importlib.metadata.packages_distributions().get(name)
        if not owners:
            raise BadInput(
                "no such package is installed", where=f"--packages {name}", do="see `pip list`"
            ) from error
        distribution = importlib.metadata.distribution(owners[0])
    files = distribution.files or []
    tops = {file.parts[0].split(".")[0] for file in files if file.suffix in (".py", ".so", ".pyd")}
    modules = frozenset(top for top in tops if top.isidentifier() and is_served(top))
    size = sum(file.size or 0 for file in files if file.suffix == ".py")
    return Shelf(distribution.metadata["Name"], modules, distribution.version, _licence(distribution), size)


def _licence(distribution: importlib.metadata.Distribution) -> str:
    """What the distribution says its licence is, in a few words."""
    facts = distribution.metadata
    for name in ("License-Expression", "License"):
        if name in facts and (said := facts[name].strip()):
            return said.splitlines()[0][:120].strip()
    kinds = [
        line.split(" :: ")[-1] for line in facts.get_all("Classifier") or () if line.startswith("License")
    ]
    return ", ".join(kinds)
