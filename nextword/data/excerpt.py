"""What a reader is shown of a page: a stretch of its text around one entry, cut at line breaks.

An answer must stand in it, but should have to be looked for: so it often has a neighbouring entry too, before
or after, and its length varies. It is always one unbroken stretch of the page, so that a quotation from it is
a quotation from the page.
"""

from __future__ import annotations

from dataclasses import dataclass

from nextword.data.facts import Fact

LEAST = 180
"""Letters; some 60 tokens of a vocabulary of 4096."""


@dataclass(frozen=True)
class Stretch:
    """A part of a page's text, from `start` to `end`."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Its text, without empty lines at its ends."""
        return text[self.start : self.end].strip("\n")


def excerpt(fact: Fact, must: Stretch, most: int, choice: int) -> str:
    """A stretch of the page that has `must` whole, `most` letters at most; "" when that is impossible.

    `choice` picks how long it may be (half, three quarters, all of `most`), and one of four: the entry alone,
    with the entry before, with the one after, with both. An entry alone that is shorter than LEAST takes what
    follows, and what precedes, all the same.
    """
    text = fact.document.text
    needed = must.end - min(fact.start, must.start)
    if needed > most:
        return ""
    most = max(needed, most * (2 + choice // 4 % 3) // 4)
    start, end = min(fact.start, must.start), must.end
    end = max(end, _line_end(text, min(fact.end, start + most), end))
    has_before, has_after = choice % 4 in (1, 3), choice % 4 in (2, 3)
    if has_after or (end - start < LEAST and not has_before):
        end = max(end, _line_end(text, min(fact.after, start + most), end))
    if has_before or end - start < LEAST:
        room = max(fact.before, end - most)
        start = min(start, _line_start(text, room, start))
    if end - start < LEAST:
        end = max(end, _line_end(text, min(start + 2 * LEAST, start + most), end))
    return Stretch(start, end).of(text)


def _line_end(text: str, limit: int, least: int) -> int:
    """The last place up to `limit` where a line ends; `least` when none lies after that."""
    if limit >= len(text) or text[limit] == "\n":
        return min(limit, len(text))
    at = text.rfind("\n", least, limit)
    return at if at >= 0 else least


def _line_start(text: str, limit: int, most: int) -> int:
    """The first place from `limit` on where a line begins; `most` when none lies before that."""
    if limit == 0 or text[limit - 1] == "\n":
        return limit
    at = text.find("\n", limit, most)
    return at + 1 if at >= 0 else most
