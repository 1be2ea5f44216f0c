"""WARC records (ISO 28500): the bytes of one page, and everything that was noted when it was fetched.

fastwarc parses and writes the records. The gzip layer is walked here by hand, member by member, because
fastwarc takes a truncated member for the end of the file; so every member's CRC is checked, every record's
SHA-1 too, and an error names the byte. Ours is one member a record, as in Common Crawl; `read_warc` takes
anyone's.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal, cast

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from nextword.common.errors import Corrupt

MAX_RECORD_BYTES = 1 << 30
GZIP = b"\x1f\x8b"
CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:+-]+)""", re.IGNORECASE)
NOTE = "x-nextword-"
PIECE = 1 << 16


@dataclass(frozen=True)
class Page:
    """One record.

    `status` is HTTP's (200 for files, 0 for a failure); `fetched` is ISO 8601 in UTC; `charset` is what the
    server declared, or ""; `meta` holds what was noted (title, lang, path, skip, failure ...).
    """

    url: str
    fetched: str
    content_type: str
    charset: str
    body: bytes
    status: int = 200
    meta: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)  # HTTP's, names in lower case

    @property
    def is_document(self) -> bool:
        """Whether cleaning should see it: not a redirect, an error page, robots.txt or a failure."""
        return self.status == 200 and "skip" not in self.meta and "failure" not in self.meta


def packed(kind: WarcRecordType, headers: Mapping[str, str], block: bytes, date: str = "") -> bytes:
    """One record as one gzip member, with the SHA-1 of its block; `date` is ISO 8601, or "" for now."""
    record = WarcRecord()
    record.init_headers(kind)
    record.record_date = datetime.fromisoformat(date) if date else datetime.now(UTC)
    for name, value in headers.items():
        record.headers[name] = one_line(value)
    record.set_bytes_content(block)
    plain = io.BytesIO()
    record.write(plain, checksum_data=True)
    deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
    return deflate.compress(plain.getvalue()) + deflate.flush()


def members(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Each gzip member: where it begins, where it ends, its content. Corrupt when one is cut or altered."""
    with path.open("rb") as file:
        start, waiting = 0, file.read(PIECE)
        while waiting:
            inflate, content = zlib.decompressobj(31), bytearray()
            while not inflate.eof:
                if not waiting:
                    raise damaged(path, start, "the file ends inside this record")
                try:
                    content += inflate.decompress(waiting, MAX_RECORD_BYTES + 1 - len(content))
                except zlib.error as error:
                    raise damaged(path, start, str(error)) from error
                if len(content) > MAX_RECORD_BYTES:
                    raise damaged(path, start, f"a record over {MAX_RECORD_BYTES >> 20} MiB")
                waiting = inflate.unused_data or file.read(PIECE)
            end = file.tell() - len(waiting)
            yield start, end, bytes(content)
            start = end


def parse(member: bytes, path: Path, offset: int) -> WarcRecord:
    """The record in one gzip member; Corrupt when it is not one or its digest does not match."""
    try:
        record = WarcRecord.from_bytes(member)
        if record.verify_block_digest():
            return record
    except (OSError, ValueError) as error:
        raise damaged(path, offset, str(error)) from error
    raise damaged(path, offset, "the content does not match its digest")


def read_warc(path: Path, max_bytes: int = MAX_RECORD_BYTES) -> Iterator[Page]:
    """HTTP responses and resources of anyone's WARC file, plain or gzip, content encodings undone.

    Records over `max_bytes` are left out. Raises Corrupt when the file is truncated, altered or not WARC.
    """
    if not is_warc(path):
        raise Corrupt("is not a WARC file", where=path)
    _check_whole(path)
    kinds = WarcRecordType.response | WarcRecordType.resource
    with path.open("rb") as raw:
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if _is_gzip(raw) else raw
        try:
            for record in ArchiveIterator(
                stream,
                record_types=kinds,
                parse_http=False,
                max_content_length=max_bytes,
                stream_detect=False,
            ):
                yield page_of(whole(record), path, record.stream_pos, "all")
        except (OSError, ValueError) as error:
            raise damaged(path, raw.tell(), str(error), "at or before") from error


def _check_whole(path: Path) -> None:
    """Read it once before fastwarc does, which takes half a header for the end and panics at a bad stream."""
    with path.open("rb") as raw:
        stream = gzip.GzipFile(fileobj=raw) if _is_gzip(raw) else raw
        last = b""
        try:
            while piece := stream.read(PIECE * 16):
                last = (last + piece[-4:])[-4:]
        except (OSError, EOFError, zlib.error) as error:
            raise damaged(path, raw.tell(), str(error), "at or before") from error
        if last != b"\r\n\r\n":
            raise damaged(path, raw.tell(), "the file ends inside a record")


def is_warc(path: Path) -> bool:
    """Whether the file's first bytes, unpacked, are those of a WARC record."""
    with path.open("rb") as raw:
        head = raw.read(4096)
    if head.startswith(GZIP):
        try:
            head = zlib.decompressobj(31).decompress(head, 64)
        except zlib.error:
            return False
    return head.startswith(b"WARC/")


def whole(record: WarcRecord) -> WarcRecord:
    """The record, if its block is as long as it says and fits its SHA-1 (when it has one); else OSError."""
    length = record.headers.get("Content-Length") or "0"
    record.freeze()
    if record.content_length != int(length):
        raise OSError("the file ends inside a record")
    has_digest = (record.headers.get("WARC-Block-Digest") or "").startswith("sha1:")
    if has_digest and not record.verify_block_digest():
        raise OSError("the content of a record does not match its digest")
    return record


def page_of(record: WarcRecord, path: Path, offset: int, decode: Literal["none", "all"] = "none") -> Page:
    """The page that a record holds; Corrupt when its HTTP headers cannot be parsed."""
    headers = {name.lower(): value for name, value in record.headers.items()}
    http: dict[str, str] = {}
    status, declared = 200, headers.get("content-type", "")
    if record.is_http:
        try:
            record.parse_http(auto_decode=decode)
        except OSError as error:
            raise damaged(path, offset, str(error)) from error
        http = {name.lower(): value for name, value in record.http_headers.items()}
        status, declared = record.http_headers.status_code or 0, http.get("content-type", "")
    meta = {name[len(NOTE) :]: value for name, value in headers.items() if name.startswith(NOTE)}
    return Page(
        url=headers.get("warc-target-uri", "").strip("<>"),
        fetched=headers.get("warc-date", ""),
        content_type=declared.split(";")[0].strip().lower(),
        charset=declared_charset(declared),
        body=record.reader.read(),
        status=0 if "failure" in meta else status,
        meta=meta,
        headers=http,
    )


def declared_charset(content_type: str) -> str:
    """The charset that a Content-Type names, in lower case, or ""."""
    found = CHARSET.search(content_type)
    return found[1].lower() if found else ""


def one_line(value: str) -> str:
    """A header's value: no line break can end it early, nothing in it cannot be UTF-8."""
    return " ".join(value.split()).encode("utf-8", "replace").decode()


def damaged(path: Path, offset: int, why: str, where: str = "at") -> Corrupt:
    """The error for a bad segment, naming the byte."""
    return Corrupt(f"damaged {where} byte {offset:,} ({why})", where=path, do="collect again")


def _is_gzip(raw: IO[bytes]) -> bool:
    head = raw.read(2)
    raw.seek(0)
    return head == GZIP
