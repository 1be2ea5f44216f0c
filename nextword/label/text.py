"""What may be stored: text and JSON that every database and every browser can hold.

PostgreSQL knows no NUL character, UTF-8 no half of a surrogate pair, JSON no NaN, and a label no megabytes.
Refusing them at the door keeps both databases alike.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from nextword.label.refusals import Unusable

MOST_BYTES = 1 << 20


def checked(text: Any, what: str, most: int = MOST_BYTES) -> str:
    """The text; Unusable when it is none, empty, too long, or cannot be stored."""
    if not isinstance(text, str) or not text.strip():
        raise Unusable(f"{what} is empty", code="empty", facts={"what": what})
    if len(text) > most:
        raise Unusable(
            f"{what} has {len(text):,} characters, at most {most:,} fit",
            code="too_long",
            facts={"what": what, "most": most},
        )
    storable(text, what)
    return text


def storable(value: Any, what: str) -> Any:
    """The JSON value; Unusable when some part of it cannot be stored, or it is too large."""
    _walk(value, what, depth=0)
    if len(json.dumps(value, ensure_ascii=False).encode()) > MOST_BYTES:
        raise Unusable(
            f"{what} is larger than {MOST_BYTES:,} bytes",
            code="too_long",
            facts={"what": what, "most": MOST_BYTES},
        )
    return value


def _bad(what: str, part: str) -> Unusable:
    return Unusable(f"{what} holds {part}", code="bad_character", facts={"what": what})


def _walk(value: Any, what: str, depth: int) -> None:
    if depth > 32:
        raise Unusable(f"{what} is nested too deeply")
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise _bad(what, "a character that is none (NUL, or half a surrogate pair)")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Unusable(f"{what} is not JSON")
            _walk(key, what, depth + 1)
            _walk(item, what, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _walk(item, what, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _bad(what, f"a number that is none ({value})")
    elif value is not None and not isinstance(value, (bool, int, float)):
        raise Unusable(f"{what} is not JSON")


def fraction(*parts: Any) -> float:
    """A number in [0, 1) that depends on the parts only: chance that can be looked up again."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
