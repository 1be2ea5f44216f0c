"""Where the training text came from, and under which licence: counted from the documents themselves.

Every document carries its provenance, so the table needs no memory of the crawl. A page of an installed
package brings the licence that the package's own metadata names, and our own pages are ours. Of any other
site or folder we know only its name: its licence is not ours to guess, and the card says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from nextword.common.records import Document, read_documents

UNKNOWN = "not recorded: check before you share the model"
OURS = "Apache-2.0"


@dataclass(frozen=True)
class Source:
    """One source: how many documents and bytes of text it gave."""

    name: str
    licence: str
    documents: int
    bytes: int


def read_sources(clean: Path) -> list[Source]:
    """The sources of a clean folder's training text, largest first; [] when the folder is not there."""
    path = clean / "train.jsonl.zst"
    return count_sources(read_documents(path)) if path.exists() else []


def count_sources(documents: Iterable[Document]) -> list[Source]:
    """Documents and bytes of each source, largest first."""
    counts: dict[tuple[str, str], list[int]] = {}
    for document in documents:
        count = counts.setdefault(_origin(document), [0, 0])
        count[0] += 1
        count[1] += len(document.text.encode("utf-8", "replace"))
    found = [Source(name, licence, *count) for (name, licence), count in counts.items()]
    return sorted(found, key=lambda source: (-source.bytes, source.name))


def _origin(document: Document) -> tuple[str, str]:
    """(name, licence) of what a document is a part of: a package, a site, or files of the user's."""
    meta = {name: value for name, value in document.meta.items() if isinstance(value, str)}
    licence = meta.get("licence") or UNKNOWN
    if package := meta.get("package"):
        return f"{package} {meta.get('version', '')}".strip(), licence
    if meta.get("source") == "nextword":
        return "nextword's own pages", OURS
    address = urlsplit(document.url)
    return address.hostname or "files", licence
