"""Asking a hub over HTTP: redirects followed through the gate, the token kept to its owner, faults outwaited.

Redirects are followed here, unlike in fetch.py, since a hub answers for its large files with the address of a
store: each hop is a new connection through the gate. The token goes to the hub's own origin only, never along
a redirect to another, over plain HTTP only where private addresses are allowed, and into no message.

Too slow is less than `PIECE` bytes in the time allowed. What passes (a cut line, a busy server, a time out)
is tried again; pieces that came in between start the count of tries anew.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import urllib3

from nextword.common.errors import BadInput, Corrupt
from nextword.common.outbound import Gate, Refused
from nextword.data.connection import Alarm, guarded_pool
from nextword.data.fetch import AGENT, LONGEST_WAIT, TRY_AGAIN, Unfetched
from nextword.data.part_file import GO_ON

T = TypeVar("T")

PIECE = 1 << 16
HOPS = 5
COMMIT = "x-repo-commit"
"""The header in which a hub says of which commit the file is; the store it sends us on to does not know."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Denied(BadInput):
    """401 or 403: whoever asks may not have it."""


class NotThere(BadInput):
    """404: there is no such thing."""


class Transport:
    """Asks for pages and files. `token` is for the origin of `home` only. For one thread."""

    def __init__(
        self,
        gate: Gate,
        *,
        token: str = "",
        home: str = "",
        seconds: float = 30.0,
        tries: int = 5,
        backoff: float = 1.0,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        self.seconds, self.tries, self.backoff, self.sleep = seconds, tries, backoff, sleep
        self._token, self._home = _checked_token(token), _origin(home)
        self._may_tell = gate.allow_private or self._home[0] == "https"
        self._alarm = Alarm()
        self._pool = guarded_pool(gate, self._alarm)

    def page(self, url: str, most: int = 64 << 20) -> tuple[bytes, urllib3.HTTPHeaderDict]:
        """A small answer in memory, and its headers."""

        def once() -> tuple[bytes, urllib3.HTTPHeaderDict]:
            body = bytearray()
            with self.answer(url) as (answer, pieces):
                check_status(answer, url)
                for piece in pieces:
                    body += piece
                    if len(body) > most:
                        raise Unfetched(f"larger than {most / 2**20:.3g} MiB", where=shown(url))
            return bytes(body), answer.headers

        return self.tried(url, once, lambda: 0)

    # One answer

    @contextmanager
    def answer(self, url: str, **headers: str) -> Iterator[tuple[urllib3.BaseHTTPResponse, Iterator[bytes]]]:
        """The answer to GET at the end of its redirects, and its pieces as they are on the wire."""
        with self._alarm.within(self.seconds) as attempt:
            answer = self._followed(url, headers)

            def pieces() -> Iterator[bytes]:
                came, due = 0, PIECE
                attempt.until = time.monotonic() + self.seconds
                while piece := answer.read1(PIECE, decode_content=False):
                    yield piece
                    came += len(piece)
                    if came >= due:
                        attempt.until, due = time.monotonic() + self.seconds, came + PIECE

            try:
                yield answer, pieces()
            finally:
                answer.close()

    def _followed(self, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        at, commit = url, ""
        for _ in range(HOPS + 1):
            answer = self._asked(at, headers)
            target, commit = answer.headers.get("location", ""), commit or answer.headers.get(COMMIT, "")
            if answer.status not in REDIRECTS or not target:
                answer.headers[COMMIT] = commit if re.fullmatch("[0-9a-f]{40}", commit) else ""
                return answer
            answer.close()
            is_safe, at = urlsplit(at).scheme == "https", urljoin(at, target)
            if urlsplit(at).scheme not in (("https",) if is_safe else ("http", "https")):
                raise Unfetched(f"is redirected to an unsafe address ({shown(at)})", where=shown(url))
        raise Unfetched(f"is redirected more than {HOPS} times", where=shown(url))

    def _asked(self, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        said = {"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity", **headers}
        if self._token and self._may_tell and _origin(url) == self._home:
            said["Authorization"] = f"Bearer {self._token}"
        return self._pool.request(
            "GET",
            url,
            headers=said,
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=self.seconds,
        )

    # Trying again

    def tried(self, url: str, once: Callable[[], T], size: Callable[[], int]) -> T:
        """once(), again and again while what goes wrong may pass; size() tells whether anything came."""
        failed, before = 0, size()
        while True:
            try:
                return once()
            except Refused as error:
                raise Unfetched(f"{error.what}; {error.do}", where=shown(url)) from error
            except (Unfetched, Denied, NotThere, Corrupt):
                raise
            except _Busy as error:
                reason, asked = error.reason, error.wait
            except (urllib3.exceptions.HTTPError, OSError, BadInput, ValueError) as error:
                reason, asked = _reason(error), 0.0
            failed, before = (1 if size() > before else failed + 1), size()
            if failed >= self.tries:
                raise Unfetched(reason, where=shown(url), do=GO_ON)
            self.sleep(min(max(self.backoff * 2 ** (failed - 1), asked), LONGEST_WAIT))


class _Busy(Exception):
    """A status that may pass, and how long the server asks to wait."""

    def __init__(self, answer: urllib3.BaseHTTPResponse) -> None:
        super().__init__()
        asked = answer.headers.get("retry-after", "")
        self.reason = f"the server answers {answer.status}"
        self.wait = float(asked) if asked.isdigit() else 0.0


def check_status(answer: urllib3.BaseHTTPResponse, url: str) -> None:
    """Nothing for an answer to go on with, else the error that it means."""
    status = answer.status
    if status in (401, 403):
        raise Denied(f"access is denied (HTTP {status})", where=shown(url))
    if status == 404:
        raise NotThere("is not there (HTTP 404)", where=shown(url))
    if status in TRY_AGAIN:
        raise _Busy(answer)
    if status not in (200, 206, 416):
        raise Unfetched(f"the server answers {status}", where=shown(url))


def _checked_token(token: str) -> str:
    """A token that is safe in a header; the error does not show it."""
    token = token.strip()
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise BadInput("the token for the hub is not one line of letters and digits", where="HF_TOKEN")
    return token


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def shown(url: str) -> str:
    """An address without its query, which may be signed, nor a password."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _reason(error: Exception) -> str:
    """What went wrong, in a few words for a person."""
    if isinstance(error, BadInput):
        return error.what
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the line was cut before the end"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
