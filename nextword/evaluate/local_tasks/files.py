"""Finding and reading a task's files, plain or compressed, as their publishers lay them out.

Nothing is bundled, downloaded or converted: the files are read where they lie, with the licence they came
with. A file may be plain, `.xz` or `.zst`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nextword.common.errors import BadInput, Corrupt
from nextword.common.records import digest, open_records, read_records

Item = TypeVar("Item")
SUFFIXES = ("", ".xz", ".zst")


def found(data: Path, name: str) -> Path:
    """The file `name` (such as "piqa_en/valid.jsonl") under the folder of data, whatever its compression."""
    for suffix in SUFFIXES:
        path = data / f"{name}{suffix}"
        if path.is_file():
            return path
    raise BadInput("no such file, plain or .xz or .zst", where=data / name, do="put the task's data there")


def objects(data: Path, name: str, *fields: str) -> Iterator[dict[str, Any]]:
    """The records of a JSON Lines file; BadInput names the first one that lacks a field."""
    path = found(data, name)
    for number, record in enumerate(read_records(path), 1):
        if missing := [field for field in fields if field not in record]:
            raise BadInput(f"record {number} has no {', '.join(missing)}", where=path)
        yield record


def document(data: Path, name: str) -> Any:
    """A whole JSON file."""
    path = found(data, name)
    try:
        with open_records(path) as file:
            return json.load(file)
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise Corrupt(f"not readable JSON ({error})", where=path) from error


def lines(data: Path, name: str) -> list[str]:
    """The lines of a text file, without their ends."""
    path = found(data, name)
    try:
        with open_records(path) as file:
            return file.read().split("\n")
    except (OSError, EOFError, ValueError) as error:
        raise Corrupt(f"not readable text ({error})", where=path) from error


def table(data: Path, name: str, *fields: str) -> Iterator[dict[str, str]]:
    """The rows of a tab-separated file with a header and no quoting; BadInput for a row of another width."""
    rows = csv.reader(lines(data, name), delimiter="\t", quoting=csv.QUOTE_NONE)
    head = next(rows, [])
    if missing := [field for field in fields if field not in head]:
        raise BadInput(f"has no column {', '.join(missing)}", where=found(data, name))
    for row in rows:
        if row and len(row) != len(head):
            what = f"line {rows.line_num} has {len(row)} columns, the header {len(head)}"
            raise BadInput(what, where=found(data, name))
        if row:
            yield dict(zip(head, row, strict=True))


def set_apart(
    items: Sequence[Item], ids: Sequence[str], labels: Sequence[str], shots: int
) -> tuple[list[Item], list[Item]]:
    """(worked, asked): `shots` items to be examples, of one label after the other, and all others.

    For data of which only one split is at hand. A hash of the id chooses, so `asked` never depends on how
    many of it are taken later; the items of examples are not asked.
    """
    order = sorted(range(len(items)), key=lambda at: digest(f"worked:{ids[at]}"))
    queues = {label: [at for at in order if labels[at] == label] for label in sorted(set(labels))}
    worked: list[int] = []
    while len(worked) < shots and any(queues.values()):
        worked += [queue.pop(0) for queue in queues.values() if queue]
    kept = set(worked[:shots])
    return [items[at] for at in worked[:shots]], [items[at] for at in range(len(items)) if at not in kept]
