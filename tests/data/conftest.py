"""Real servers on loopback: pages that a test writes down as a table, a hub of models; and pages of pydoc."""

from __future__ import annotations

import http.server
import importlib.util
import pydoc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from nextword.common.progress import Progress
from nextword.data.archive import ArchiveWriter, Page
from nextword.data.facts import Fact, page_facts
from nextword.data.pull import PullSettings, pull
from nextword.data.pydoc_page import pydoc_page
from tests.data.hub_site import Hub, serving

Answer = (
    bytes | str | tuple[int, dict[str, str], bytes] | Callable[[http.server.BaseHTTPRequestHandler], None]
)


@dataclass
class Web:
    """`pages` maps a target to its answer: HTML, (status, headers, body), or a function of the handler.

    `asked` lists the targets in the order they were asked for; `missing` answers for all others.
    """

    port: int = 0
    pages: dict[str, Answer] = field(default_factory=dict)
    missing: Answer = (404, {}, b"nothing here")
    asked: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def visited(self) -> list[str]:
        """What was asked for, less the crawler's questions about manners."""
        return [one for one in self.asked if one != "/robots.txt" and "no-such-page" not in one]


@pytest.fixture
def web() -> Iterator[Web]:
    """A site of the test's own."""
    site = Web()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append(self.path)
            site.times.append(time.monotonic())
            answer = site.pages.get(self.path, site.missing)
            if callable(answer):
                self.close_connection = True
                answer(self)
                return
            status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
            body = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that hangs up is what some tests are about

    server = Server(("127.0.0.1", 0), Handler)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


SHOP = '''
"""A shop with prices."""

LIMIT = 40

def price(name, *, tax=0.1, currency=None):
    """Return the price of one thing, e.g. of bread. It is rounded.

    More is said here.
    """

def close():
    pass

class Basket:
    """Collects things that somebody wants to buy."""

    def __init__(self, owner, size=LIMIT):
        pass

    def add(self, thing, count=1):
        """Put a thing into the basket some times."""

    @staticmethod
    def empty():
        """Make a basket that holds nothing yet."""

    @property
    def weight(self):
        """All things together weigh so much."""

class Bag(Basket):
    """Carries what a basket cannot hold."""
'''


@dataclass
class Pydoc:
    """Pages as pydoc makes them, of modules that a test writes down."""

    folder: Path
    shop: str = SHOP

    def html(self, name: str = "shop", source: str = SHOP) -> str:
        """What pydoc's server answers for the module."""
        path = self.folder / f"{name}.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # where pydoc looks for the functions' own module
        try:
            spec.loader.exec_module(module)
            page = pydoc.html.page(pydoc.describe(module), pydoc.html.document(module, name))
        finally:
            del sys.modules[name]
        return page.replace("<title>Python: ", "<title>Pydoc: ")

    def page(self, name: str = "shop", source: str = SHOP) -> Page:
        """The page as a crawl keeps it."""
        url, body = f"http://pydoc.localhost/{name}.html", self.html(name, source).encode()
        return Page(url, "2026-11-23T00:00:00Z", "text/html", "utf-8", body)

    def facts(self, name: str = "shop", source: str = SHOP) -> list[Fact]:
        """The facts of the page, before they are made unique."""
        return list(page_facts(pydoc_page(self.html(name, source)), self.page(name, source)))

    def crawl(self, modules: dict[str, str]) -> Path:
        """The folder of a finished crawl of these modules."""
        with ArchiveWriter(self.folder / "crawl", {"origin": "test"}) as archive:
            for name, source in modules.items():
                archive.write(self.page(name, source))
        return self.folder / "crawl"


@pytest.fixture
def small_pydoc(tmp_path: Path) -> Pydoc:
    """Pages of modules of the test's own."""
    return Pydoc(tmp_path)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as site:
        yield site


@pytest.fixture
def fetch(hub, tmp_path):
    """Pull owner/tiny (or another source) into tmp_path/model, without waiting between attempts."""

    def run(source="owner/tiny", out=None, token="", check=lambda config: None, **options):
        chosen = {"endpoint": hub.url, "allow_private": True, "timeout": 5.0, "tries": 3, **options}
        return pull(
            PullSettings(**chosen),
            source,
            tmp_path / "model" if out is None else out,
            Progress("pull", console=Console(stderr=True, quiet=True)),
            check=check,
            environment={"HF_TOKEN": token} if token else {},
            sleep=lambda seconds: None,
        )

    return run
