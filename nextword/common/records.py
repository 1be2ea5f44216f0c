"""The records that stages hand over, one JSON object a line.

A document knows where it came from; a conversation is OpenAI's `messages`; a comparison is TRL's preference
format. Files end in `.jsonl`, `.jsonl.zst` or `.jsonl.xz`; reading is lazy, so memory stays flat.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import written_atomically


@dataclass(frozen=True)
class Document:
    """A piece of text and its provenance.

    `id` names the source page (stable across crawls), `sha256` is of the UTF-8 text, `fetched` is ISO 8601 in
    UTC, `lang` an ISO 639-1 code or "".
    """

    id: str
    text: str
    url: str
    fetched: str = ""
    lang: str = ""
    sha256: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(text: str, url: str, fetched: str = "", lang: str = "", **meta: Any) -> Document:
        """A document with its id (from the address) and hash (from the text) filled in."""
        return Document(digest(url)[:16], text, url, fetched, lang, digest(text), meta)


FIELDS: dict[str, type] = {
    "text": str,
    "id": str,
    "url": str,
    "fetched": str,
    "lang": str,
    "sha256": str,
    "meta": dict,
}
"""What the fields of a document are in a record; others are left out."""

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Message:
    """One turn. `content` is text, or OpenAI content parts (so images fit)."""

    role: Role
    content: str | list[dict[str, Any]]
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Conversation:
    """OpenAI's `messages` list, with the tools on offer and where the record came from."""

    messages: list[Message]
    tools: list[dict[str, Any]] | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def digest(text: str) -> str:
    """Hex SHA-256 of the UTF-8 text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_held_out(id: str, percent: float) -> bool:
    """Whether a record belongs to the held-out split: a hash of its id, so the answer never changes."""
    return int(digest("held-out:" + id)[:8], 16) / 2**32 < percent / 100


@contextmanager
def open_records(path: Path) -> Iterator[IO[str]]:
    """Open a record file for reading as text, decompressing by its suffix."""
    try:
        if path.suffix == ".zst":
            from nextword.common.zstd_stream import open_zstd

            with path.open("rb") as raw:
                yield io.TextIOWrapper(open_zstd(raw), encoding="utf-8")
        elif path.suffix == ".xz":
            with lzma.open(path, "rt", encoding="utf-8") as file:
                yield file
        else:
            with path.open(encoding="utf-8") as file:
                yield file
    except FileNotFoundError as error:
        raise BadInput("no such file", where=path) from error


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Each line's JSON object; Corrupt names the line that is not one.

    A byte order mark before the first, as some editors write one, is no part of it.
    """
    with open_records(path) as file:
        number = 0
        try:
            for line in file:
                number += 1
                if number == 1:
                    line = line.removeprefix("\ufeff")
                if line.strip():
                    record = json.loads(line)
                    if not isinstance(record, dict):
                        raise ValueError("not a JSON object")
                    yield record
        except GeneratorExit:
            raise
        except Exception as error:  # every codec has its own exception; all mean the same to the reader
            if (
                isinstance(error, (ValueError, RecursionError, EOFError, OSError, lzma.LZMAError))
                or "zstd" in str(error).lower()
            ):
                raise Corrupt(f"damaged at or after line {number} ({error})", where=path) from error
            raise


def write_records(path: Path, records: Iterable[dict[str, Any]]) -> int:
    """Write records atomically, compressing by the suffix; returns how many."""
    count = 0
    with written_atomically(path) as raw:
        if path.suffix == ".zst":
            import zstandard

            packed: IO[bytes] = zstandard.ZstdCompressor(level=10).stream_writer(raw, closefd=False)
        elif path.suffix == ".xz":
            packed = lzma.LZMAFile(raw, "wb")  # noqa: SIM115 (closed below, before the rename)
        else:
            packed = raw
        for record in records:
            packed.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
            count += 1
        if packed is not raw:
            packed.close()
    return count


def read_documents(path: Path) -> Iterator[Document]:
    """Documents of one record file; BadInput names the first record that is none.

    A record needs a text. An address that it has not is its place in the file, an id is made of the address.
    """
    for number, record in enumerate(read_records(path), 1):
        if not isinstance(record.get("text"), str):
            raise BadInput(f"record {number} has no `text` string", where=path, do="see docs/formats.md")
        known = {name: value for name, value in record.items() if name in FIELDS}
        _check_fields(known, f"record {number}", path)
        known.setdefault("url", f"{path.name}#{number}")
        known.setdefault("id", digest(known["url"])[:16])
        yield Document(**known)


def _check_fields(known: dict[str, Any], record: str, path: Path) -> None:
    """BadInput for a field of another type, and for text that no file or database can hold."""
    for name, value in known.items():
        if not isinstance(value, FIELDS[name]):
            kind = "a string" if FIELDS[name] is str else "an object"
            what = f"the `{name}` of {record} is not {kind}"
            raise BadInput(what, where=path, do="mend it, or leave it out; see docs/formats.md")
        for text in value.values() if isinstance(value, dict) else [value]:
            if isinstance(text, str) and not _is_unicode(text):
                what = f"the `{name}` of {record} holds half a character (a lone surrogate)"
                raise BadInput(what, where=path, do="write the file again as UTF-8")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def write_documents(path: Path, documents: Iterable[Document]) -> int:
    """Write documents as records; returns how many."""
    return write_records(path, (asdict(document) for document in documents))
