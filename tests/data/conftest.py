"""A real web server on loopback, whose pages a test writes down as a table."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

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
