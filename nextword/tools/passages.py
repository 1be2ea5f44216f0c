"""A page cut where a reader would cut it, into passages short enough to quote from.

A page of documentation is a list of entries, each a head (`dumps(obj, *, skipkeys=False, ...)`) and what is
said under it, further in. Prose is a list of paragraphs. Both are cut at blank lines and at heads, and small
neighbours are joined up to LENGTH. A passage knows its place in the page, so that an answer can be linked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LENGTH = 900
"""Characters of a passage, about: some 200 to 300 tokens."""

HEAD = re.compile(r"^ {0,8}(?:class |@?)([A-Za-z_][\w.]*)(?:\(| = | =$)")
HEADING = re.compile(r"^#{1,6} +(.+)$")


@dataclass(frozen=True)
class Passage:
    """text[start:end] of its page; `names` are what its entries define."""

    start: int
    end: int
    names: tuple[str, ...]


def passages(text: str, length: int = LENGTH) -> Iterator[Passage]:
    """The passages of a page, in order; together they hold every line that is not blank."""
    start = end = 0
    names: list[str] = []
    for begin, stop, name in _blocks(text, length):
        if end > start and (stop - start > length):
            yield Passage(start, end, tuple(names))
            start, names = begin, []
        start = begin if end == start else start
        end = stop
        if name:
            names.append(name)
    if end > start:
        yield Passage(start, end, tuple(names))


def _blocks(text: str, length: int) -> Iterator[tuple[int, int, str]]:
    """(start, end, name) of paragraphs and entries, none much longer than `length`."""
    start, end, name, position = 0, 0, "", 0
    for line in text.splitlines(keepends=True):
        head = HEAD.match(line) or HEADING.match(line)
        is_blank = not line.strip()
        if end > start and (is_blank or head or end - start + len(line) > length):
            yield start, end, name
            start, end, name = position, position, ""
        if not is_blank:
            if end == start:
                start, name = position, head[1].strip() if head else name
            end = position + len(line)
        position += len(line)
    if end > start:
        yield start, end, name
