"""A page cut where a reader would cut it, into passages short enough to quote from.

A page of documentation is a list of entries, each a head (`dumps(obj, *, skipkeys=False, ...)`) and what is
said under it, further in. Prose is a list of paragraphs. Both are cut at blank lines and at heads, and small
neighbours are joined up to LENGTH; a head stays with what is said under it.

A passage knows its place in the page, so that an answer can be linked; the heading under which it stands,
since `Class methods defined here:` or `## 설치` may be a long way up; and what its entries are called, a
method by its class too, since people ask for `Path.exists`.

LENGTH is a small model's: it reads a short passage better, and of 400 held-out questions about the Python
documentation search found about as many with passages of 450 letters as with passages of 900.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LENGTH = 450
"""Characters of a passage, about: some 100 to 150 tokens."""
SHORT = 200
"""Characters of a head that is not parted from what follows."""

HEAD = re.compile(r"^ {0,8}(?:class |@?)([A-Za-z_][\w.]*)(?:\(| = | =$)")
BARE = re.compile(r"^([A-Za-z_]\w*)$")
"""A property, as pydoc heads it: its name alone, and what it is on the next line, further in; or nothing, and
the next property, where a heading says that they are."""
MARKDOWN = re.compile(r"^#{1,6} +(.+)$")
SECTION = re.compile(r"^(?:[A-Z][\w ]+ (?:defined here|inherited from [\w.]+):?|Functions|Data|Classes)$")
"""What pydoc sets above entries of one kind."""
OF_PROPERTIES = re.compile(r"^(?:Data descriptors|Readonly properties) ")
CLASS = re.compile(r"^class ([A-Za-z_]\w*)(?:\(.*\))?:?$")
"""As pydoc begins a class; what follows belongs to it, up to another class or one of AFTER_CLASSES."""
AFTER_CLASSES = frozenset(("Functions", "Data", "Author", "Credits"))
TREE = "Classes"
"""The heading of a module's tree of classes, which defines none of those it names."""


@dataclass(frozen=True)
class Entry:
    """What a passage defines: its name, where it begins in the page, and the heading above it."""

    name: str
    start: int
    heading: str = ""


@dataclass(frozen=True)
class Passage:
    """text[start:end] of its page; `entries` are what it defines, `heading` the line above it."""

    start: int
    end: int
    entries: tuple[Entry, ...] = ()
    heading: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What its entries are called."""
        return tuple(entry.name for entry in self.entries)


@dataclass(frozen=True)
class _Block:
    """A paragraph or an entry's beginning; `name` is its head's, "" for none, `heading` the line above."""

    start: int
    end: int
    name: str
    heading: str

    @property
    def is_head(self) -> bool:
        return bool(self.name) and self.end - self.start <= SHORT


def opened_at(text: str, start: int, length: int = LENGTH) -> int:
    """Where a passage that begins at `start` ends: at the last line's end that `length` letters hold.

    The first line is whole, however long it is.
    """
    first = text.find("\n", start)
    last = text.rfind("\n", start, start + length)
    return len(text) if first < 0 or len(text) <= start + length else max(first, last)


def passages(text: str, length: int = LENGTH) -> Iterator[Passage]:
    """The passages of a page, in order; together they hold every line that is not blank."""
    kept: list[_Block] = []
    for block in _blocks(text, length):
        if kept and block.end - kept[0].start > length:
            heads = _trailing_heads(kept)
            yield _joined(kept[: len(kept) - heads])
            kept = kept[len(kept) - heads :]
        kept.append(block)
    if kept:
        yield _joined(kept)


def _trailing_heads(blocks: Sequence[_Block]) -> int:
    """How many heads stand last, two at most, with nothing said under them; never all of the blocks."""
    said = next((n for n, block in enumerate(reversed(blocks)) if not block.is_head), len(blocks))
    return min(said, 2) if said < len(blocks) else 0


def _joined(blocks: Sequence[_Block]) -> Passage:
    entries = tuple(Entry(block.name, block.start, block.heading) for block in blocks if block.name)
    return Passage(blocks[0].start, blocks[-1].end, entries, blocks[0].heading)


def _blocks(text: str, length: int) -> Iterator[_Block]:
    """Paragraphs and entries, none much longer than `length`."""
    start, end, name, position, owner = 0, 0, "", 0, ""
    heading, above = "", ""  # the last one seen, and the one above the block
    lines = text.splitlines(keepends=True)
    for line, after in zip(lines, [*lines, ""][1:], strict=True):
        bare = line.rstrip("\n")
        may_be_bare = after[:1] == " " or OF_PROPERTIES.match(heading)
        head = HEAD.match(line) or MARKDOWN.match(line) or (BARE.match(bare) if may_be_bare else None)
        is_blank = not line.strip()
        if end > start and (is_blank or head or end - start + len(line) > length):
            yield _Block(start, end, name, above)
            start, end, name = position, position, ""
        owner = _owner(bare, owner)
        heading = "" if CLASS.match(bare) else heading
        if not is_blank:
            if end == start:
                start, above = position, heading
                name = _full_name(head[1].strip(), owner) if head and above != TREE else ""
            end = position + len(line)
        if SECTION.match(bare) or MARKDOWN.match(line):
            heading = bare
        position += len(line)
    if end > start:
        yield _Block(start, end, name, above)


def _owner(line: str, owner: str) -> str:
    """The class that the lines after this one describe, where the page is pydoc's; "" for none."""
    begun = CLASS.match(line)
    return begun[1] if begun else "" if line in AFTER_CLASSES else owner


def _full_name(name: str, owner: str) -> str:
    """What an entry is asked for by: a member with its class, anything else as it stands."""
    return f"{owner}.{name}" if owner and owner != name and "." not in name else name
