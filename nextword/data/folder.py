"""The user's own documents: a file, or every file under a folder, as pages of an archive.

    .txt .md .rst .html       as they are; cleaning finds the encoding
    .pdf .docx .hwpx .hwp     their text
    .jsonl .parquet           one document a record: its `text` (`content`, `body`), `url`, `title`, `lang`
    .warc                     its pages
    .gz .xz .zst              any of these inside

A file that cannot be read is named and counted, and the rest goes on; so are pipes, sockets, devices and
links that lead nowhere. Hidden files and other links are left alone: what a link leads to is read where it
lies, if that is in the folder, and is none of ours if not.
"""

from __future__ import annotations

import gzip
import json
import lzma
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from nextword.common.errors import BadInput, Corrupt
from nextword.common.zstd_stream import open_zstd
from nextword.data.archive import Page
from nextword.data.extract import SUFFIXES, Extractor
from nextword.data.links import HTML_TYPES
from nextword.data.warc import read_warc

PLAIN = {
    "": "text/plain",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".rst": "text/plain",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
}
PACKED = (".gz", ".xz", ".zst")
RECORDS = (".jsonl", ".ndjson")
FIELDS = ("text", "content", "body")
TEXT_TYPES = HTML_TYPES | {"text/plain", "text/markdown"}
MOST_BAD_RECORDS = 20
PIECE = 1 << 20
SPECIAL = "is no regular file (a pipe, a socket or a device)"
BROKEN = (BadInput, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
"""What reading a damaged file of any of the formats raises (pyarrow's are ValueError and OSError)."""


def read_folder(source: Path, max_bytes: int = 64 << 20) -> Iterator[Page]:
    """A page for each document of a file or a folder, in the order of the names; a failure is a page too.

    `max_bytes` bounds one document, unpacked. `meta["path"]` is a page's place. What is no document has
    `meta["skip"]` and no body. BadInput when there is no such file or folder.
    """
    if not source.exists():
        raise BadInput("no such file or folder", where=source)
    source = source.resolve()
    with Extractor(max_bytes=max_bytes) as extractor:
        for path in _files(source):
            name = path.name if path == source else path.relative_to(source).as_posix()
            if not path.is_file():
                yield _failure(path, "is a link that leads nowhere" if path.is_symlink() else SPECIAL, name)
                continue
            try:
                for page in _pages(path, max_bytes, extractor, is_chosen=path == source):
                    yield replace(page, meta={**page.meta, "path": name + page.meta.get("path", "")})
            except BROKEN as error:
                yield _failure(path, _words(error, path), name)


def check_places(source: Path, out: Path) -> None:
    """BadInput for a source without an end, and for an archive that would lie in its source."""
    if not source.is_file() and not source.is_dir():
        raise BadInput(SPECIAL, where=source, do="give a folder or a file; `cat` it into one first")
    place, of = out.resolve(), source.resolve()
    if source.is_dir() and (place == of or of in place.parents):
        what = f"lies in the source ({source}), where the next collect would take it for a document"
        raise BadInput(what, where=out, do="choose another --out, outside the source")


def _files(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        yield source
        return
    for path in sorted(source.iterdir()):
        if path.name.startswith(".") or (path.is_symlink() and path.exists()):
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _pages(path: Path, max_bytes: int, extractor: Extractor, is_chosen: bool) -> Iterator[Page]:
    """The documents of one file; `is_chosen`: the user named this very file, any suffix may be text."""
    packed = path.suffix.lower() if path.suffix.lower() in PACKED else ""
    kind = Path(path.stem).suffix.lower() if packed else path.suffix.lower()
    uri = path.as_uri()
    if kind in RECORDS:
        with _opened(path) as file:
            yield from _records(path, _json_lines(file, max_bytes))
    elif kind in PLAIN or (is_chosen and kind not in SUFFIXES and kind not in (".parquet", ".warc")):
        with _opened(path) as file:
            body = _all(file, max_bytes)
        yield _text_page(uri, PLAIN.get(kind, "text/plain"), body)
    elif kind in SUFFIXES or kind in (".parquet", ".warc"):
        with _unpacked(path, kind, max_bytes) as plain:
            if kind == ".parquet":
                yield from _records(path, _rows(plain))
            elif kind == ".warc":
                yield from _warc_pages(plain, max_bytes)
            else:
                found = extractor(plain)
                body = found.text.encode("utf-8", "replace")
                page = _text_page(uri, "text/plain", body)
                yield replace(
                    page, charset="utf-8", meta={**page.meta, "title": found.title, "format": kind[1:]}
                )
    else:
        yield Page(uri, "", "", "", b"", 200, {"skip": f"{path.suffix.lower()} is not a format we read"})


def _text_page(uri: str, content_type: str, body: bytes) -> Page:
    if not body.strip():
        raise BadInput("holds no text")
    is_wide = body[:2] in (b"\xff\xfe", b"\xfe\xff")  # UTF-16 and UTF-32 with their mark
    if b"\0" in body[:8192] and not is_wide and not body.startswith(b"\0\0\xfe\xff"):
        raise BadInput("is binary, not text")
    return Page(uri, "", content_type, "", body)


def _records(path: Path, records: Iterable[tuple[int, Any]]) -> Iterator[Page]:
    """A page for each record with text; a failure for each without, until they are too many."""
    bad = 0
    for number, record in records:
        place = f"#{number}"
        text = next((record[name] for name in FIELDS if _is_text(record.get(name))), None)
        if text is None:
            bad += 1
            if bad > MOST_BAD_RECORDS:
                raise Corrupt(f"over {MOST_BAD_RECORDS} records without text; the rest is left")
            why = record.get("", "has no `text` (nor `content`, nor `body`)")
            yield _failure(path, why, place)
            continue
        url = record.get("url")
        noted = {name: record[name] for name in ("title", "lang") if _is_text(record.get(name))}
        yield Page(
            url=" ".join(url.split()) if _is_text(url) else path.as_uri() + place,
            fetched="",
            content_type="text/plain",
            charset="utf-8",
            body=text.encode("utf-8", "replace"),
            meta={**noted, "path": place, "format": "record"},
        )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _json_lines(file: IO[bytes], max_bytes: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbered objects; a line that is none comes as {"": why}."""
    number = 0
    while line := file.readline(max_bytes + 1):
        number += 1
        if len(line) > max_bytes:
            raise BadInput(f"record {number} is larger than {max_bytes >> 20} MiB")
        if line.strip():
            try:
                record = json.loads(line)
                yield number, record if isinstance(record, dict) else {"": "is not a JSON object"}
            except (ValueError, RecursionError) as error:
                yield number, {"": f"is not JSON ({error})"}


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        wanted = [name for name in file.schema_arrow.names if name in (*FIELDS, "url", "title", "lang")]
        if not set(wanted) & set(FIELDS):
            raise BadInput("has no column `text` (nor `content`, nor `body`)")
        number = 0
        for batch in file.iter_batches(batch_size=256, columns=wanted):
            for record in batch.to_pylist():
                number += 1
                yield number, record


def _warc_pages(path: Path, max_bytes: int) -> Iterator[Page]:
    for number, page in enumerate(read_warc(path, max_bytes), 1):
        meta = {**page.meta, "path": f"#{number}", "format": "warc"}
        if page.is_document and page.content_type in TEXT_TYPES:
            yield replace(page, meta=meta)
        elif "skip" not in page.meta:
            why = f"HTTP {page.status}" if page.status != 200 else f"{page.content_type} is not text"
            yield Page(page.url, "", "", "", b"", 200, {**meta, "skip": why})


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked by its suffix."""
    suffix = path.suffix.lower()
    with path.open("rb") as raw:
        if suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as file:
                yield cast("IO[bytes]", file)
        elif suffix == ".xz":
            with lzma.LZMAFile(raw) as unpacked:
                yield cast("IO[bytes]", unpacked)
        elif suffix == ".zst":
            yield cast("IO[bytes]", open_zstd(raw))
        else:
            yield raw


@contextmanager
def _unpacked(path: Path, kind: str, max_bytes: int) -> Iterator[Path]:
    """A path to the unpacked file, for formats that must be opened by name."""
    if path.suffix.lower() not in PACKED or (kind == ".warc" and path.suffix.lower() == ".gz"):
        yield path
        return
    with _opened(path) as file, tempfile.NamedTemporaryFile(suffix=kind) as plain:
        plain.write(_all(file, max_bytes))
        plain.flush()
        yield Path(plain.name)


def _all(file: IO[bytes], max_bytes: int) -> bytes:
    body = bytearray()
    while piece := file.read(PIECE):
        body += piece
        if len(body) > max_bytes:
            raise BadInput(f"is larger than {max_bytes >> 20} MiB")
    return bytes(body)


def _failure(path: Path, why: str, place: str) -> Page:
    return Page(path.as_uri(), "", "", "", b"", 0, {"failure": why, "path": place})


def _words(error: BaseException, path: Path) -> str:
    """What is wrong with a file, without its name, which is said beside it."""
    if isinstance(error, BadInput):
        return error.what
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"cannot be unpacked or read ({str(error).replace(str(path), path.name)[:200]})"
