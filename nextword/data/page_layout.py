"""A page's layout as its text shows it: paragraphs and list items, each under its headings, with its place.

Markdown's and reStructuredText's headings are known by their marks; text that came out of a PDF, DOCX or HWPX
file has none, so there a short line without a full stop, between an empty line and more text, is one. Code
(fenced, or indented by four) and markup that a reader does not see are no blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

HASHES = re.compile(r"(#{1,6})\s+(\S.*)")
UNDERLINE = re.compile(r"([=\-~^\"*+#])\1{2,}\s*$")
ITEM = re.compile(r"(?P<indent>\s{0,8})(?:[-*•·▪◦○●]|\d{1,2}[.)]|[가-하]\.)\s+(?=\S)")
NUMBERED = re.compile(r"^(?:제\s?\d+\s?[장절조항](?=[\s(])|\d+(?:\.\d+)*[.)]?(?=\s)|[IVX]+\.|[가-하]\.)\s*")
ANCHOR = re.compile(r"\s*(?:\{#[^}]*\}|\{/\*.*?\*/\}|(?<!`)</?[a-z][^<>]*>(?!`)|#+\s*$)")
FENCE = re.compile(r"\s*(```|~~~|:::|\.\. )")
LONGEST_HEADING = 60
ENDS_NO_HEADING = (".", ",", ";", ":", "。", "…", "다", "요")


@dataclass(frozen=True)
class Block:
    """A paragraph or an item. `text` is its own, line breaks made spaces; start, end: its place in the page.

    headings: those it stands under, the page's own first, without their marks.
    """

    text: str
    start: int
    end: int
    headings: tuple[str, ...] = ()
    is_item: bool = False

    @property
    def heading(self) -> str:
        """The nearest heading, "" for none."""
        return self.headings[-1] if self.headings else ""


@dataclass
class _Reader:
    """Goes through the lines of a page."""

    levels: dict[int, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    start: int = 0
    end: int = 0
    is_item: bool = False

    def add(self, line: str, start: int, end: int) -> None:
        if not self.lines:
            self.start = start
        self.lines.append(line.strip())
        self.end = end

    def block(self) -> Iterator[Block]:
        """What was gathered, if anything."""
        text = " ".join(" ".join(self.lines).split())
        if text:
            headings = tuple(self.levels[level] for level in sorted(self.levels))
            yield Block(text, self.start, self.end, headings, self.is_item)
        self.lines, self.is_item = [], False

    def under(self, level: int, heading: str) -> None:
        self.levels = {each: text for each, text in self.levels.items() if each < level}
        if text := bare(heading):
            self.levels[level] = text


def blocks(text: str) -> Iterator[Block]:
    """The paragraphs and items of a page, in order."""
    lines = [*_places(text), ("", len(text), len(text)), ("", len(text), len(text))]
    reader, fence, at = _Reader(), "", 0
    marks: dict[str, int] = {}  # reStructuredText's levels, in the order of their first use
    while at < len(lines) - 1:
        line, start, end = lines[at]
        following = lines[at + 1][0]
        at += 1
        opened = FENCE.match(line)
        if fence:
            fence = "" if line.strip().startswith(fence) else fence
        elif opened and opened[1] in ("```", "~~~"):
            yield from reader.block()
            fence = opened[1]
        elif opened or not line.strip():
            yield from reader.block()
        elif found := HASHES.fullmatch(line):
            yield from reader.block()
            reader.under(len(found[1]), found[2])
        elif UNDERLINE.match(following) and len(line) <= 2 * LONGEST_HEADING and not UNDERLINE.match(line):
            yield from reader.block()
            reader.under(marks.setdefault(following[0], len(marks) + 1), line)
            at += 1
        elif UNDERLINE.fullmatch(line):
            yield from reader.block()
        elif item := ITEM.match(line):
            yield from reader.block()
            reader.is_item = True
            reader.add(line[item.end() :], start + item.end(), end)
        elif line.startswith(("    ", "\t")) and not reader.lines:
            continue
        elif not reader.lines and _is_heading(line, lines[at - 2][0] if at > 1 else "", following):
            reader.under(3 if NUMBERED.match(line) else 2, line)
        else:
            reader.add(line, start + len(line) - len(line.lstrip()), end)
    yield from reader.block()


def bare(heading: str) -> str:
    """A heading without marks, numbers and anchors.

    >>> bare("1.2 `resume(node)` {/*resume*/}"), bare("제3조 (대출 기간)")
    ('`resume(node)`', '대출 기간')
    """
    text = ANCHOR.sub("", heading).strip().strip("*_").strip()
    numbered = NUMBERED.match(text)
    text = text[numbered.end() :].strip() if numbered else text
    return text[1:-1].strip() if numbered and text[:1] == "(" and text[-1:] == ")" else text


def _is_heading(line: str, before: str, following: str) -> bool:
    """Whether a line without marks is one: short, alone above, no sentence."""
    stripped = line.strip()
    return (
        not before.strip()
        and 2 <= len(stripped) <= LONGEST_HEADING // 2
        and not stripped.endswith(ENDS_NO_HEADING)
        and not stripped.startswith("-*-")
        and stripped[0] not in "<|>!@`*[("
        and not re.search(r":\s|://|=", stripped)
        and (bool(following.strip()) or bool(NUMBERED.match(stripped)))
    )


def _places(text: str) -> Iterator[tuple[str, int, int]]:
    """(line, start, end) of each line."""
    start = 0
    for line in text.split("\n"):
        yield line, start, start + len(line)
        start += len(line) + 1
