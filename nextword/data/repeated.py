"""Lines that the corpus has already shown, removed where they come again.

On reference documentation this is the step that counts: every class of every module lists what it
inherits, and of 9 MB of pydoc text 2 MB are lines not seen before. Removing every repeated line, as CCNet
does with paragraphs (Wenzek et al. 2020), would break code: `}`, `else:` and `>>> import os` are repeated
lines too. C4 (Raffel et al. 2020) therefore asks for three sentences in a row, and Lee et al. (2022) for
fifty tokens. We look at stretches:

- A line's key is its text without the white space around it; lines without a letter or digit have none and go
  with their neighbours.
- A stretch is a run of lines all seen before. It goes if it is long (LONG characters), or if it is one or
  more whole paragraphs (SHORT characters): a repeated sentence inside a fresh paragraph stays, a repeated
  notice between empty lines goes. At the very top of a page, where menus stand, MENU characters are enough.
- A heading stays with what it heads: if the text below a stretch is new, a last line that ends in a colon
  or that the new text is indented under is spared, and so is a last paragraph that begins a definition
  (`class`). Further up in it, the last section's heading (a line that ends in a colon, with nothing further
  in below it, or one that is a paragraph, `Functions`) stays if the new text goes on with that section's
  list, unless it stands in the menu at the top.

The first place where a line occurs always keeps it, so nothing is lost to the corpus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LONG = 120
SHORT = 20
MENU = 6
HEADING = re.compile(
    r"\s*(?:(?:class|def|function|module|package|interface|struct|enum) |#{1,6} |제\s?\d+\s?[장절])"
)
HAS_WORD = re.compile(r"\w")
SECTION = re.compile(r"\S.{3,80}:\s*")
"""A line that may head a list of entries."""
ALONE = re.compile(r"[A-Z가-힣][\w ]{2,40}")
"""A line that may head what follows, if it is a paragraph."""
SENTENCE_END = re.compile(r"[.!?。]\s*$")


def line_hashes(text: str) -> npt.NDArray[np.uint64]:
    """A key for each line that has one, in order: the units that `without_repeats` counts by."""
    import xxhash

    keys = [xxhash.xxh64_intdigest(line.encode("utf-8", "replace")) for _, line in _keyed(text.split("\n"))]
    return np.array(keys, dtype=np.uint64)


def _keyed(lines: list[str]) -> list[tuple[int, str]]:
    """(position, stripped text) of the lines with a letter or digit."""
    return [(at, line.strip()) for at, line in enumerate(lines) if HAS_WORD.search(line)]


@dataclass(frozen=True)
class Shortened:
    """A text without its repeats; bytes of its lines: all, those seen first here, those that stayed."""

    text: str
    line_bytes: int
    new_bytes: int
    kept_bytes: int
    removed_lines: int
    removed: str  # the beginning of the longest stretch that went, for the report


def without_repeats(text: str, repeats: npt.NDArray[np.uint32], remove: bool = True) -> Shortened:
    """Remove the stretches of lines whose units (`line_hashes` order) are in `repeats`; or only count."""
    lines = text.split("\n")
    keyed = _keyed(lines)
    seen = _seen_flags(lines, keyed, repeats)
    gone: set[int] = set()
    longest = ""
    for start, end in _stretches(seen) if remove else []:
        is_menu = start == keyed[0][0]
        spared = set() if is_menu else _spared_sections(lines, start, end)
        start, end = _widened(lines, seen, start, end - _spared_heading(lines, start, end))
        size = sum(len(lines[at].strip()) for at in range(start, end))
        is_whole = _is_blank(lines, start - 1) and _is_blank(lines, end)
        if size >= LONG or (is_whole and size >= (MENU if is_menu else SHORT)):
            gone.update(at for at in range(start, end) if at not in spared)
            longest = max(longest, "\n".join(lines[start:end]), key=len)
    kept = [line for at, line in enumerate(lines) if at not in gone]
    sizes = [len(line.encode("utf-8", "replace")) for _, line in keyed]
    line_bytes = sum(sizes)
    return Shortened(
        text=re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n") if gone else text,
        line_bytes=line_bytes,
        new_bytes=line_bytes - sum(sizes[unit] for unit in repeats.tolist()),
        kept_bytes=sum(size for size, (at, _) in zip(sizes, keyed, strict=True) if at not in gone),
        removed_lines=sum(1 for at, _ in keyed if at in gone),
        removed=longest[:600],
    )


def new_lines(text: str, repeats: npt.NDArray[np.uint32]) -> tuple[str, float]:
    """The lines that are not in `repeats`, and their share of the letters of all lines (1 if none)."""
    keyed = _keyed(text.split("\n"))
    seen = set(repeats.tolist())
    new = [line for unit, (_, line) in enumerate(keyed) if unit not in seen]
    whole = sum(len(line) for _, line in keyed)
    return "\n".join(new), sum(map(len, new)) / whole if whole else 1.0


def _seen_flags(
    lines: list[str], keyed: list[tuple[int, str]], repeats: npt.NDArray[np.uint32]
) -> list[bool | None]:
    """For each line: seen before (True), new (False), or nothing to say (None: empty or without a word)."""
    flags: list[bool | None] = [None] * len(lines)
    for at, _ in keyed:
        flags[at] = False
    for unit in repeats.tolist():
        flags[keyed[unit][0]] = True
    return flags


def _stretches(seen: list[bool | None]) -> list[tuple[int, int]]:
    """Maximal runs [start, end) that begin and end with a line seen before and hold no new one."""
    found, start, last = [], -1, -1
    for at, flag in enumerate([*seen, False]):
        if flag is True:
            start, last = (at if start < 0 else start), at
        elif flag is False and start >= 0:
            found.append((start, last + 1))
            start = -1
    return found


def _widened(lines: list[str], seen: list[bool | None], start: int, end: int) -> tuple[int, int]:
    """The stretch with the rulers and brackets around it, if with them it is whole paragraphs."""
    above, below = start, end
    while above > 0 and seen[above - 1] is None and not _is_blank(lines, above - 1):
        above -= 1
    while below < len(lines) and seen[below] is None and not _is_blank(lines, below):
        below += 1
    is_whole = start < end and _is_blank(lines, above - 1) and _is_blank(lines, below)
    return (above, below) if is_whole else (start, end)


def _spared_heading(lines: list[str], start: int, end: int) -> int:
    """How many lines at the end of a stretch are a heading of the new text below it."""
    if not any(line.strip() for line in lines[end : end + 2]):
        return 0
    first = end - 1
    while first > start and not _is_blank(lines, first - 1):
        first -= 1
    if HEADING.match(lines[first]):
        return end - first
    return int(_is_above(lines, end) or lines[end - 1].rstrip().endswith(":"))


def _spared_sections(lines: list[str], start: int, end: int) -> set[int]:
    """The lines of a stretch that head, from further up, the list that the new text below goes on with."""
    below = next((at for at in range(end, len(lines)) if lines[at].strip()), -1)
    if below < 0 or _indent(lines[below]):
        return set()
    if HEADING.match(lines[below]) or SECTION.fullmatch(lines[below]) or SENTENCE_END.search(lines[below]):
        return set()  # it begins something of its own
    for at in range(end - 1, start - 1, -1):
        if HEADING.match(lines[at]):
            break
        if ALONE.fullmatch(lines[at]) and _is_blank(lines, at - 1) and _is_blank(lines, at + 1):
            return {at, at + 1}
        if SECTION.fullmatch(lines[at]) and not _is_above(lines, at + 1):
            return {at}
    return set()


def _is_above(lines: list[str], end: int) -> bool:
    """Whether line `end` is indented under the one before it."""
    return not _is_blank(lines, end) and _indent(lines[end]) > _indent(lines[end - 1])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_blank(lines: list[str], at: int) -> bool:
    return not 0 <= at < len(lines) or not lines[at].strip()
