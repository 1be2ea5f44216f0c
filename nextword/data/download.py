"""One large file over HTTP: continued where it was cut, and checked before it counts.

A killed download goes on with a Range request. That is only safe if the rest belongs to the same file, so the
part's name carries the expected hash; where no hash is known (an address that someone typed), it carries the
server's ETag and length, and a part of another key is thrown away. A server that ignores Range begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import urllib3

from nextword.common.errors import Corrupt
from nextword.data.fetch import Unfetched
from nextword.data.part_file import Expected, PartFile, fault_of, part_of
from nextword.data.transport import COMMIT, Transport, check_status, shown


@dataclass(frozen=True)
class Downloaded:
    """A whole file. `came`: the bytes this call brought; `commit`: what the hub says it is of, or ""."""

    path: Path
    sha256: str
    size: int
    came: int = 0
    commit: str = ""


def download(
    transport: Transport,
    url: str,
    place: Path,
    expected: Expected,
    came: Callable[[int, int], None] = lambda done, total: None,
    room: Callable[[int], None] = lambda size: None,
) -> Downloaded:
    """Download to `place`, or see that it is there. came(bytes so far, in all); room(bytes to come).

    Raises Unfetched, Denied or NotThere when it cannot be had, Corrupt when it is not what was expected,
    Failure when it cannot be written; whatever came is kept for the next call.
    """
    if place.exists() and expected.is_known:
        there = PartFile(place)
        if fault_of(there, expected) == "":
            came(there.size, there.size)
            return Downloaded(place, there.sha256, there.size)
        place.unlink()
    under_way = _Download(transport, url, place, expected, came, room)
    try:
        return transport.tried(url, under_way.attempt, under_way.size)
    finally:
        under_way.close()


class _Download:
    """One file on its way: the part on the disk, and what is asked for next."""

    def __init__(
        self,
        transport: Transport,
        url: str,
        place: Path,
        expected: Expected,
        came: Callable[[int, int], None],
        room: Callable[[int], None],
    ) -> None:
        self.transport, self.url, self.place, self.expected = transport, url, place, expected
        self.came, self.room = came, room
        self.part: PartFile | None = None
        self.fetched = 0
        if expected.is_known:
            self.part = part_of(place, expected.sha256 or expected.git_sha1)

    def size(self) -> int:
        """Bytes that came so far."""
        return self.part.size if self.part else 0

    def close(self) -> None:
        """Keep what came for another call."""
        if self.part is not None:
            self.part.close()

    def attempt(self) -> Downloaded:
        """Ask for what is still to come, and see it to the end."""
        if self.part is None:
            self._learn()
        part = self.part
        assert part is not None
        start = part.size
        if start == self.expected.size:
            return self._finished(part, start, "")
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self.transport.answer(self.url, **headers) as (answer, pieces):
            check_status(answer, self.url)
            if answer.status == 416:
                return self._nothing_to_come(part, answer.headers.get("content-range", ""))
            total = self._total(answer, start)
            if start and not _begins_at(answer, start):
                part.restart()
            self.room(total - part.size)
            for piece in pieces:
                part.write(piece)
                self.fetched += len(piece)
                self.came(part.size, total)
                if part.size > total:
                    break
            if part.size < total:
                raise TimeoutError(f"ended after {part.size:,} of {total:,} bytes")
            return self._finished(part, start, answer.headers[COMMIT])

    def _learn(self) -> None:
        """Which part to go on with, by what the server says of the file."""
        with self.transport.answer(self.url) as (answer, _):
            check_status(answer, self.url)
            said = [answer.headers.get(name, "") for name in ("etag", "last-modified")]
            self.part = part_of(self.place, f"{said} {self._total(answer, 0)}")

    def _total(self, answer: urllib3.BaseHTTPResponse, start: int) -> int:
        """Bytes of the whole file, as the server says and the hub lists."""
        length = answer.headers.get("content-length", "")
        if not length.isdigit() or answer.headers.get("content-encoding", "identity") != "identity":
            raise Unfetched("the server does not say how long the file is", where=shown(self.url))
        total = int(length) + (start if _begins_at(answer, start) else 0)
        if self.expected.size not in (None, total):
            what = f"the server has {total:,} bytes of it, the hub lists {self.expected.size:,}"
            raise Corrupt(what, where=shown(self.url), do="try again later: it may be on its way up")
        return total

    def _nothing_to_come(self, part: PartFile, range: str) -> Downloaded:
        """The part is as long as the file ("bytes */LENGTH"), or longer."""
        if range.rpartition("/")[2] == str(part.size) and self.expected.size is None:
            return self._finished(part, part.size, "")
        part.restart()
        raise TimeoutError("the server has less of it than we have")

    def _finished(self, part: PartFile, start: int, commit: str) -> Downloaded:
        if fault := fault_of(part, self.expected):
            part.restart()
            if start:
                raise TimeoutError(fault)  # perhaps what was here was bad: once more from the beginning
            part.remove()
            do = "run the same command again; if it stays so, the file is damaged where it lies"
            raise Corrupt(fault, where=shown(self.url), do=do)
        part.become(self.place)
        return Downloaded(self.place, part.sha256, part.size, self.fetched, commit)


def _begins_at(answer: urllib3.BaseHTTPResponse, start: int) -> bool:
    """Whether the answer is the rest that was asked for."""
    return answer.status == 206 and answer.headers.get("content-range", "").startswith(f"bytes {start}-")
