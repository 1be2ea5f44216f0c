"""Fetch one page: through the gate, with limits on time and size, trying again when that can help.

Redirects are not followed here: a redirect is a new address, which the crawler judges (robots, site, gate)
like any link. Each attempt has one deadline for everything, since a server that sends a byte now and then
would pass every timeout between bytes. The body is kept decoded; the encoding it came in is noted, as Common
Crawl does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import urllib3

from nextword import __version__
from nextword.common.errors import BadInput
from nextword.common.outbound import Gate, Refused
from nextword.data.connection import Alarm, guarded_pool
from nextword.data.warc import declared_charset

AGENT = f"nextword/{__version__}"
ACCEPT = "text/html,application/xhtml+xml,text/plain;q=0.9,application/pdf;q=0.8,*/*;q=0.1"
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
LONGEST_WAIT = 60.0
PIECE = 1 << 16


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
        self._alarm = Alarm()
        self._pool = guarded_pool(gate, self._alarm)

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
