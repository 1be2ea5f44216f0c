"""Fetch one page: through the gate, with limits on time and size, trying again when that can help.

Redirects are not followed here: a redirect is a new address, which the crawler judges (robots, site, gate)
like any link. Each attempt has one deadline for everything, since a server that sends a byte now and then
would pass every timeout between bytes. The body is kept decoded; the encoding it came in is noted, as Common
Crawl does.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from nextword import __version__
from nextword.common.errors import BadInput
from nextword.common.outbound import Gate, Refused
from nextword.data.warc import declared_charset

AGENT = f"nextword/{__version__}"
ACCEPT = "text/html,application/xhtml+xml,text/plain;q=0.9,application/pdf;q=0.8,*/*;q=0.1"
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
LONGEST_WAIT = 60.0
PIECE = 1 << 16
TICK = 0.05
"""Seconds between two looks at the clock."""


class Unfetched(BadInput):
    """A page that could not be had: refused, unreachable, too slow, too large, or not HTTP."""


@dataclass(frozen=True)
class Response:
    """What a server answered, its body decoded. Header names are in lower case."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type alone, in lower case."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The encoding that the server declared, or ""."""
        return declared_charset(self.headers.get("content-type", ""))


Fetch = Callable[[str], Response]


class Fetcher:
    """Fetches pages by HTTP; call it with an address.

    seconds: the deadline of one attempt; max_bytes: of a decoded body; tries: attempts in all, waiting
    `backoff`, twice that, ... between them (or what Retry-After asks for, up to a minute). For one thread.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        seconds: float = 20.0,
        max_bytes: int = 8 << 20,
        tries: int = 3,
        backoff: float = 1.0,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        self.seconds, self.max_bytes, self.tries = seconds, max_bytes, tries
        self.backoff, self.sleep = backoff, sleep
        self._alarm = _Alarm()
        self._pool = _pool(gate, self._alarm)

    def __call__(self, url: str) -> Response:
        """The answer to GET; Unfetched when there is none, in the words of the last attempt."""
        for attempt in range(1, self.tries + 1):
            is_last = attempt == self.tries
            wait = self.backoff * 2 ** (attempt - 1)
            try:
                response = self._once(url)
            except Refused as error:
                raise Unfetched(f"{error.what}; {error.do}", where=url) from error
            except _TooLarge as error:
                raise Unfetched(f"larger than {self.max_bytes / 2**20:.3g} MiB", where=url) from error
            except (urllib3.exceptions.HTTPError, OSError, BadInput, ValueError) as error:
                if is_last:
                    raise Unfetched(_reason(error), where=url) from error
            else:
                if response.status not in TRY_AGAIN or is_last:
                    return response
                wait = _asked_wait(response, wait)
            self.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _once(self, url: str) -> Response:
        with self._alarm.within(self.seconds):
            answer = self._pool.request(
                "GET",
                url,
                headers={"User-Agent": AGENT, "Accept": ACCEPT, "Accept-Encoding": "gzip, deflate"},
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=self.seconds,
            )
            body = bytearray()
            try:
                while piece := answer.read(PIECE, decode_content=True):
                    body += piece
                    if len(body) > self.max_bytes:
                        answer.close()
                        raise _TooLarge
            finally:
                answer.release_conn()
        return Response(url, answer.status, _kept(answer.headers), bytes(body))


class _TooLarge(Exception):
    pass


class _Attempt:
    """One attempt's deadline, and the connection that is cut when it passes."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.connection: socket.socket | None = None
        self.has_rung = False

    def ring(self) -> None:
        self.has_rung = True
        if self.connection is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.connection, socket.SHUT_RDWR)


class _Alarm:
    """Cuts the connection in use when its time is up, whatever the reader is waiting for.

    One thread looks at the attempt under way every TICK. The reader shares no lock with it (a timer of the
    standard library has some): a Ctrl-C inside one leaves it locked, and the way out would wait for ever.
    """

    def __init__(self) -> None:
        self.attempt: _Attempt | None = None
        self._watcher: threading.Thread | None = None

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        if self._watcher is None:
            self._watcher = threading.Thread(target=_watch, args=(weakref.ref(self),), daemon=True)
            self._watcher.start()
        attempt = self.attempt = _Attempt(seconds)
        try:
            yield
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            if attempt.has_rung:
                raise TimeoutError(f"no whole answer within {seconds:g} s") from error
            raise
        finally:
            self.attempt = None
        if attempt.has_rung:  # a body without a length looks whole when it is cut
            raise TimeoutError(f"no whole answer within {seconds:g} s")

    def using(self, connection: socket.socket | None) -> None:
        """Tell which connection the attempt under way reads from."""
        if self.attempt is not None:
            self.attempt.connection = connection


def _watch(alarm_of: weakref.ref[_Alarm]) -> None:
    """Ring each attempt whose time is up, until the alarm is no more."""
    while (alarm := alarm_of()) is not None:
        attempt = alarm.attempt
        if attempt is not None and time.monotonic() >= attempt.until:
            attempt.ring()
        del alarm
        time.sleep(TICK)


def _pool(gate: Gate, alarm: _Alarm) -> urllib3.PoolManager:
    """A connection pool whose every connection is made by the gate and known to the alarm."""

    class Guarded(HTTPConnection):
        raw: socket.socket | None = None

        def _new_conn(self) -> socket.socket:
            timeout = self.timeout if isinstance(self.timeout, (int, float)) else 20.0
            self.raw = gate.connect(self._dns_host.strip("[]"), self.port, timeout)
            alarm.using(self.raw)
            return self.raw

        def request(self, *args: Any, **options: Any) -> None:
            alarm.using(self.raw)  # a connection used again
            super().request(*args, **options)

    class GuardedTLS(Guarded, HTTPSConnection):
        pass

    class Plain(urllib3.HTTPConnectionPool):
        ConnectionCls = Guarded

    class TLS(urllib3.HTTPSConnectionPool):
        ConnectionCls = GuardedTLS

    pool = urllib3.PoolManager(num_pools=8, maxsize=1)
    pool.pool_classes_by_scheme = {"http": Plain, "https": TLS}
    return pool


def _kept(headers: urllib3.HTTPHeaderDict) -> dict[str, str]:
    """The headers worth keeping, once the body is decoded: the encodings it had are noted, not claimed."""
    kept = {name.lower(): value for name, value in headers.items()}
    for name in ("content-encoding", "transfer-encoding", "content-length"):
        if name in kept:
            kept["x-crawl-" + name] = kept.pop(name)
    return kept


def _asked_wait(response: Response, otherwise: float) -> float:
    asked = response.headers.get("retry-after", "")
    return min(max(float(asked), otherwise), LONGEST_WAIT) if asked.isdigit() else otherwise


def _reason(error: Exception) -> str:
    """What went wrong, in a few words for a person."""
    if isinstance(error, BadInput):
        return error.what
    if isinstance(error, (TimeoutError, urllib3.exceptions.TimeoutError)):
        return str(error) if isinstance(error, TimeoutError) else "no answer in time"
    return str(error) or type(error).__name__
