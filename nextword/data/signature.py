"""Parameters and defaults out of a signature as documentation shows it.

    >>> [(each.name, each.default) for each in parameters("(obj, *, sep=(',', ': '), **kw) -> str")]
    [('obj', None), ('sep', "(',', ': ')"), ('kw', None)]

What is shown is Python's grammar with two liberties: a default may be any object's `repr`, so `<no value>`,
`<Flag.A: 1>` occur, and an annotation may be a string. Compiling it would therefore fail often (and parsing
strangers' text with `ast` has its own depth limits); splitting at commas outside brackets and quotation marks
never fails: what cannot be read simply has no parameters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OPENING, CLOSING = "([{", ")]}"
LONGEST = 4000
"""Characters. The longest signature of the standard library has some 900."""
NAME = re.compile(r"\*{0,2}([^\W\d]\w*)\s*")
STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
OBJECT = re.compile(r"<[^<>,]*(?:<[^<>,]*>[^<>,]*)*>")
"""`<function f at 0x7f>`, `<class 'int'>`, `<function f.<locals>.g at 0x7f>`: each is one thing."""


@dataclass(frozen=True)
class Parameter:
    """One parameter. `text` is all of it as shown, annotation and stars too; `default` None: it has none."""

    name: str
    text: str
    default: str | None = None


def parameters(signature: str) -> list[Parameter]:
    """The parameters of a signature in their order, the markers `*` and `/` left out; [] when unreadable."""
    inside = argument_text(signature)
    if inside is None:
        return []
    found = [_parameter(piece) for piece in split(inside, ",") if piece.strip() not in ("*", "/", "")]
    return [each for each in found if each] if all(found) else []


def argument_text(signature: str) -> str | None:
    """What stands between a signature's parentheses; None when they do not match or hide what they hold.

    >>> argument_text("dist(p, q, /) -> float")
    'p, q, /'
    """
    start = signature.find("(")
    if start < 0 or len(signature) > LONGEST:
        return None
    end = _closing(signature, start)
    inside = signature[start + 1 : end]
    return None if end < 0 or inside.strip() == "..." else inside


def split(text: str, separator: str) -> list[str]:
    """Split at a character where it stands outside brackets, strings and `<...>` reprs."""
    pieces, depth, begun, at = [], 0, 0, 0
    while at < len(text):
        if atom := _atom(text, at):
            at += len(atom)
            continue
        depth += (text[at] in OPENING) - (text[at] in CLOSING)
        if text[at] == separator and depth == 0:
            pieces.append(text[begun:at])
            begun = at + 1
        at += 1
    return [*pieces, text[begun:]]


def _parameter(piece: str) -> Parameter | None:
    """`name`, `name=default`, `name: annotation`, `name: annotation = default`, with stars or without."""
    text = piece.strip()
    named = NAME.match(text)
    if not named:
        return None
    rest = text[named.end() :]
    if rest and rest[0] not in ":=":
        return None
    _, *default = split(rest, "=")
    return Parameter(named[1], text, "=".join(default).strip() if default else None)


def _closing(text: str, start: int) -> int:
    """Where the bracket opened at `start` closes; -1 when it does not."""
    depth, at = 0, start
    while at < len(text):
        if atom := _atom(text, at):
            at += len(atom)
            continue
        depth += (text[at] in OPENING) - (text[at] in CLOSING)
        if depth == 0:
            return at
        at += 1
    return -1


def _atom(text: str, at: int) -> str:
    """The string or repr that begins here, or ""."""
    if text[at] in "'\"":
        found = STRING.match(text, at)
    elif text[at] == "<" and text[max(at - 2, 0) : at].rstrip()[-1:] in ("=", ":", ",", "(", "[", "{"):
        found = OBJECT.match(text, at)
    else:
        return ""
    return found[0] if found else ""
