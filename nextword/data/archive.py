"""The archive: every response a crawl received, as WARC, so that cleaning can be repeated without the site.

WARC 1.1 (ISO 28500), one gzip member a record, written and parsed by fastwarc; Common Crawl's layout, so its
tools read ours. Three kinds of record matter: `response` (HTTP status, headers, body), `resource` (a
document of a folder or file), and `metadata` (an address that failed, and why). What we know beside the bytes
travels in `X-Nextword-*` headers.

    with ArchiveWriter(run / "crawl") as archive:
        archive.response("http://a.example/", 200, {"Content-Type": "text/html"}, body)
    for page in pages(run / "crawl"):
        page.url, page.body

Two things the format leaves open, we close. A crawl may die at any byte: the segment being written is called
`.part`, each record reaches the system before the next is begun, and the next writer cuts a half record off
and goes on. And a file cut exactly between two records looks whole: so a finished segment ends with a record
that counts the others.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Self

from fastwarc.warc import WarcRecordType

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.common.files import sync_folder
from nextword.data.warc import NOTE, Page, damaged, members, one_line, packed, page_of, parse

__all__ = ["ArchiveWriter", "Page", "finished_segments", "pages", "responses"]

SEGMENT_BYTES = 256 << 20
CLOSING = "X-Nextword-Closing"
SHOWN = (WarcRecordType.response, WarcRecordType.resource, WarcRecordType.metadata)


def pages(folder: Path) -> Iterator[Page]:
    """The documents of a finished crawl, in the order they came.

    Raises BadInput when there is no crawl, Corrupt (file and byte) when a segment is truncated or altered.
    """
    return (page for page in responses(folder) if page.is_document)


def responses(folder: Path) -> Iterator[Page]:
    """Everything a finished crawl received: documents, redirects, error pages and failures."""
    segments = finished_segments(folder)
    if not segments:
        raise BadInput("holds no finished crawl", where=folder, do="run `nextword collect` first")
    for segment in segments:
        yield from read_segment(segment)


def finished_segments(folder: Path) -> list[Path]:
    """The finished WARC files of a folder, in order; Corrupt when one between them is missing."""
    found = sorted(folder.glob("pages-*.warc.gz"))
    for number, path in enumerate(found):
        if path.name != _segment_name(number):
            raise Corrupt("a segment is missing", where=folder / _segment_name(number), do="collect again")
    return found


def read_segment(path: Path) -> Iterator[Page]:
    """The records of one finished segment of ours; Corrupt unless all of them are there and unaltered."""
    count, closing = 0, None
    for start, _, member in members(path):
        record = parse(member, path, start)
        if closing is not None:
            raise damaged(path, start, "a record after the closing one")
        closing = record.headers.get(CLOSING)
        count += closing is None
        if closing is None and record.record_type in SHOWN:
            yield page_of(record, path, start)
    if closing != str(count):
        raise damaged(path, path.stat().st_size, f"the end is missing: {count} records found")


class ArchiveWriter:
    """Appends records to numbered segments in a folder; continues where a killed writer stopped.

    `origin` (any JSON object: what is crawled) opens each segment as its `warcinfo`. Leaving the block well
    finishes the last segment; leaving it by an exception keeps its `.part` for the next writer.
    """

    def __init__(
        self, folder: Path, origin: Mapping[str, Any] | None = None, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self.folder, self.origin, self.segment_bytes = folder, dict(origin or {}), segment_bytes
        self._file: IO[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._records = 0

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / ".lock").open("wb")
        except OSError as error:
            do = "choose another folder, or make this one writable"
            raise Failure(f"cannot be written ({error.strerror})", where=self.folder, do=do) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise BadInput(
                "another collect is writing here",
                where=self.folder,
                do="wait for it, or choose another folder",
            ) from error
        try:
            self._number = len(finished_segments(self.folder))
            self._recover()
            self._check_origin()
        except BaseException:
            self.__exit__(BadInput)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
            elif self._file:
                self._file.close()
        finally:
            if self._lock:
                self._lock.close()

    def so_far(self) -> Iterator[Page]:
        """Every record this folder holds, the unfinished segment's included: what need not be fetched."""
        for segment in finished_segments(self.folder):
            yield from read_segment(segment)
        if self._part.exists():
            for start, _, member in members(self._part):
                record = parse(member, self._part, start)
                if record.record_type in SHOWN:
                    yield page_of(record, self._part, start)

    def write(self, page: Page) -> None:
        """Keep a page as what it is: an HTTP response, a document of a file, or a failure.

        Its date is `page.fetched`, or now. A response's body is decoded, so its headers name no encoding.
        """
        if "failure" in page.meta:
            kind, declared, block = WarcRecordType.metadata, "text/plain", b""
        elif page.headers:
            kind, declared, block = WarcRecordType.response, "application/http; msgtype=response", _http(page)
        else:
            charset = f"; charset={page.charset}" if page.charset else ""
            kind, declared, block = WarcRecordType.resource, page.content_type + charset, page.body
        if self._file is None:
            self._open()
        notes = {"WARC-Target-URI": page.url, "Content-Type": declared}
        notes |= {NOTE + name: value for name, value in page.meta.items() if value}
        self._append(packed(kind, notes, block, page.fetched))
        if self._file and self._file.tell() >= self.segment_bytes:
            self._finish()

    def response(self, url: str, status: int, headers: Mapping[str, str], body: bytes, **meta: str) -> None:
        """Keep an HTTP response, as of now."""
        self.write(Page(url, "", "", "", body, status, meta, dict(headers)))

    def resource(self, url: str, content_type: str, body: bytes, **meta: str) -> None:
        """Keep a document that did not come by HTTP (`url` is a file: address), as of now."""
        self.write(Page(url, "", content_type, "", body, 200, meta))

    @property
    def _part(self) -> Path:
        return self.folder / (_segment_name(self._number) + ".part")

    def _open(self) -> None:
        try:
            self._file = self._part.open("ab", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error
        self._records = 0
        facts = json.dumps({"software": "nextword", "format": "WARC File Format 1.1", **self.origin})
        self._append(packed(WarcRecordType.warcinfo, {"Content-Type": "application/json"}, facts.encode()))

    def _append(self, member: bytes) -> None:
        assert self._file is not None, "append follows open"
        try:
            rest = memoryview(member)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise self._unwritable(error) from error
        self._records += 1

    def _finish(self) -> None:
        if self._file is None:
            return
        notes = {CLOSING: str(self._records), "Content-Type": "text/plain"}
        self._append(packed(WarcRecordType.metadata, notes, b""))
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.rename(self.folder / _segment_name(self._number))
            sync_folder(self.folder)
        except OSError as error:
            raise self._unwritable(error) from error
        self._file, self._records = None, 0
        self._number += 1

    def _recover(self) -> None:
        """Take up the segment that a killed writer left: cut the half record off, keep the whole ones."""
        if not self._part.exists():
            return
        good = records = 0
        try:
            for start, end, member in members(self._part):
                if CLOSING in parse(member, self._part, start).headers:
                    break  # killed between this record and the rename
                good, records = end, records + 1
        except Corrupt:
            pass
        os.truncate(self._part, good)
        if good:
            self._file = self._part.open("ab", buffering=0)
            self._records = records
        else:
            self._part.unlink()

    def _check_origin(self) -> None:
        """Refuse to mix two sources in one folder."""
        first = next((path for path in (*finished_segments(self.folder), self._part) if path.exists()), None)
        if first is None or not self.origin:
            return
        start, _, member = next(members(first))
        try:
            said = json.loads(parse(member, first, start).reader.read())
        except ValueError as error:
            raise damaged(first, start, "the first record is not ours") from error
        if any(said.get(name) != value for name, value in self.origin.items()):
            shown = ", ".join(f"{name} {said.get(name)}" for name in self.origin)
            raise BadInput(
                f"holds another collection ({shown})", where=self.folder, do="choose another folder"
            )

    def _unwritable(self, error: OSError) -> Failure:
        return Failure(
            f"cannot be written ({error.strerror or error})",
            where=self._part,
            do="free some space and run the same command again: it continues",
        )


def _http(page: Page) -> bytes:
    lines = [
        f"HTTP/1.1 {page.status} ",
        *(f"{name}: {one_line(said)}" for name, said in page.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + page.body


def _segment_name(number: int) -> str:
    return f"pages-{number:05d}.warc.gz"
