"""Serving the pages until somebody stops it: a socket of our own, uvicorn, and a graceful end."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from nextword.common.errors import BadInput, Failure
from nextword.studio.settings import StudioSettings

GRACE = 5
"""Seconds that running requests have to end."""


def serve(app: ASGIApp, settings: StudioSettings, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `say` is told the address once people may come."""
    listening = listen(settings.host, settings.port)
    say(address_of(listening, settings))
    server = uvicorn.Server(_config(app, settings))
    with _quiet_signals():
        server.run(sockets=[listening])


@contextlib.contextmanager
def served(app: ASGIApp, settings: StudioSettings | None = None) -> Iterator[str]:
    """The app on a free port in a thread of this process, for tests; yields its address."""
    settings = settings or StudioSettings()
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(_config(app, settings))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise Failure("the server did not start")
        time.sleep(0.01)
    try:
        yield address_of(listening, StudioSettings())
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; BadInput when the port is taken or the address is not this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise BadInput(f"{host} is no address to listen on", do="leave out --host") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise BadInput(f"port {port} is taken", do="choose another with --port") from error
        raise BadInput(f"cannot listen on {host}:{port} ({error.strerror})") from error
    return listening


def address_of(listening: socket.socket, settings: StudioSettings) -> str:
    """The address that people type."""
    if settings.public:
        return settings.public.rstrip("/")
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _config(app: ASGIApp, settings: StudioSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # it would hold invitation links
        server_header=False,
        proxy_headers=bool(settings.public),
        timeout_graceful_shutdown=GRACE,
    )


@contextlib.contextmanager
def _quiet_signals() -> Iterator[None]:
    """uvicorn ends gracefully and then raises the signal once more, for whoever listened before: nobody."""
    kept = {each: signal.signal(each, lambda *_: None) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in kept.items():
            signal.signal(each, handler)
