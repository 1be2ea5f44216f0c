"""A hub of models on loopback that behaves as Hugging Face's does, and the store of its large files."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

COMMIT = "c" * 40
REVISIONS = ("main", "v1", COMMIT)
CARD = "---\nlicense: llama2\nlicense_link: https://example.org/terms\n---\n# Tiny\n"
LARGE = bytes(range(256)) * 4096  # a megabyte, so that it comes in many pieces
FILES = {
    "README.md": CARD.encode(),
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "generation_config.json": b"",
    "model.safetensors": LARGE,
    "pytorch_model.bin": b"a pickle",
    "original/params.json": b"{}",
    ".gitattributes": b"*",
}
LISTINGS = tuple(f"/api/models/owner/tiny/tree/{name}?recursive=1" for name in REVISIONS)
STORED = "/store/model.safetensors"
Fault = Callable[["Handler"], bool]


@dataclass
class Hub:
    """A hub and, at another port, the store that it sends people to for large files.

    `faults` by path may answer in place of the server (and say True). `asked`: server, path, Range, token.
    """

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    listed: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    token: str = ""
    commit: str = COMMIT
    page_size: int = 1000
    hub: int = 0
    store: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.hub}"

    def paths(self, server="store") -> list[str]:
        return [path for name, path, _, _ in self.asked if name == server]

    def listing(self) -> list[dict]:
        rows = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "original"}]
        for path, body in {**self.files, **self.listed}.items():
            sha1 = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
            row = {"type": "file", "oid": sha1, "size": len(body), "path": path}
            if len(body) > 1000 or path.endswith((".gguf", ".safetensors")):
                row["lfs"] = {"oid": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 134}
            rows.append(row)
        return rows


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub
    server_name = ""

    def do_GET(self) -> None:
        hub, path = self.hub, self.path
        hub.asked.append((self.server_name, path, self.headers["Range"], self.headers["Authorization"]))
        fault = hub.faults.get(path.partition("?")[0])
        if fault and fault(self):
            return
        if self.server_name == "store":
            self.send_file(hub.files[path.partition("?")[0].removeprefix("/store/")])
        elif hub.token and self.headers["Authorization"] != f"Bearer {hub.token}":
            self.send(401, b"", **{"X-Error-Code": "GatedRepo"})
        elif path.startswith(LISTINGS):
            self.send_listing(int(path.partition("&cursor=")[2] or 0))
        elif path.startswith(tuple(f"/owner/tiny/resolve/{name}/" for name in REVISIONS)):
            self.resolve(path.split("/", 5)[5])
        else:
            self.send(404, b"no")

    def send_listing(self, start: int) -> None:
        rows, end = self.hub.listing(), start + self.hub.page_size
        after = f'<{self.hub.url}{LISTINGS[-1]}&cursor={end}>; rel="next"'
        self.send(200, json.dumps(rows[start:end]).encode(), **({"Link": after} if end < len(rows) else {}))

    def resolve(self, path: str) -> None:
        if path not in self.hub.files:
            self.send(404, b"", **{"X-Error-Code": "EntryNotFound"})
        elif len(self.hub.files[path]) > 1000:
            there = f"http://127.0.0.1:{self.hub.store}/store/{path}?signature=private"
            self.send(302, b"", **{"Location": there, "X-Repo-Commit": self.hub.commit})
        else:
            self.send(200, self.hub.files[path], **{"X-Repo-Commit": self.hub.commit})

    def send_file(self, body: bytes) -> None:
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        headers = {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}
        if start >= len(body) and start:
            self.send(416, b"", **{"Content-Range": f"bytes */{len(body)}"})
        elif start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.send(206, body[start:], **headers)
        else:
            self.send(200, body, **headers)

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up is what some tests are about


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub and its store, each at a port of its own, for as long as the block takes."""
    site, servers = Hub(), []
    for name in ("hub", "store"):
        kind = type("Named", (Handler,), {"hub": site, "server_name": name})
        server = Server(("127.0.0.1", 0), kind)
        setattr(site, name, server.server_address[1])
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
    yield site
    for server in servers:
        server.shutdown()
        server.server_close()


def once(act):
    """A fault that happens the first time only."""
    calls = []

    def fault(handler):
        calls.append(1)
        return act(handler) if len(calls) == 1 else False

    return fault


def cut(after):
    """The server promises all and hangs up after so many bytes."""

    def act(handler):
        body = handler.hub.files[handler.path.partition("?")[0].removeprefix("/store/")]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:after])
        handler.close_connection = True
        return True

    return act


def status(number, **headers):
    return lambda handler: handler.send(number, b"", **headers) or True
