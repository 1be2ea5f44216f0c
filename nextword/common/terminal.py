"""What text and numbers look like in a terminal.

Text from pages and models may hold escape sequences that move the cursor, change the title or worse, so it is
made `printable` before it is shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
EIGHTHS = " ▏▎▍▌▋▊▉█"


def printable(text: str) -> str:
    """The same text without control characters, save line breaks and tabs; others are shown as U+FFFD.

    >>> printable("safe\\x1b[2Jtext")
    'safe�[2Jtext'
    """
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or not _is_control(c) else "\ufffd" for c in text)


def _is_control(character: str) -> bool:
    """C0, C1, DEL, bytes of a file name that are no UTF-8, and the marks that turn the direction of text.

    These marks can hide what a line says.
    """
    return unicodedata.category(character) in ("Cc", "Cs") or character in TURNS


def visible(token: str) -> str:
    """A token as a person can see it: spaces, line breaks and tabs have marks.

    >>> visible(" the\\n")
    '␣the⏎'
    """
    return printable(token.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥"))


def one_line(text: str, width: int) -> str:
    """A text as one line of at most `width` columns; what does not fit is cut off and ends in `…`.

    >>> one_line("first\\n second", 12)
    'first second'
    >>> one_line("다음 낱말", 6)
    '다음…'
    """
    line = " ".join(printable(text).split())
    if columns(line) <= width:
        return line
    line = line[:width]
    while columns(line) >= width:
        line = line[:-1]
    return line.rstrip() + "…"


def bars(rows: Iterable[tuple[str, float]], width: int = 40) -> list[str]:
    """One line for each (token, probability): the token, a bar, the percentage. A full bar is certainty."""
    rows = [(visible(label), value) for label, value in rows]
    longest = max((columns(label) for label, _ in rows), default=0)
    return [
        f"{' ' * (longest - columns(label))}{label}  {bar(value, width)}  {value:6.1%}"
        for label, value in rows
    ]


def bar(value: float, width: int) -> str:
    """A bar of `width` columns, filled to `value` (0 to 1) in eighths of a column."""
    eighths = round(max(0.0, min(1.0, value)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def columns(text: str) -> int:
    """How many columns a terminal gives the text: Korean and Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def size(count: int) -> str:
    """Bytes for people.

    >>> size(999), size(12_345), size(9_100_000)
    ('999 B', '12.3 kB', '9.1 MB')
    """
    if count < 1000:
        return f"{count} B"
    amount, units = count / 1000, ["kB", "MB", "GB", "TB"]
    while amount >= 999.95 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:,.1f} {units[0]}"
