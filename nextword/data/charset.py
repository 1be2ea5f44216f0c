"""The encoding of a page: what it says, and what its bytes say.

Order of belief, strongest first:

    1. a byte order mark                             nobody writes one by accident
    2. the bytes are strictly valid UTF-8            by chance almost impossible for other multi-byte text
    3. the label the server sent, then `<meta>`'s    decoded strictly; one that does not fit is not believed
    4. UTF-8 with a few damaged bytes                at most one in a thousand
    5. charset-normalizer's guess                    only among encodings that the web really uses

The second rule is bolder than the WHATWG standard, which a browser follows and which trusts the server:
servers that label everything ISO-8859-1 are common, and mojibake in training text costs more than a rare
wrong guess. Labels mean what WHATWG says they mean (`euc-kr` is CP949, `gb2312` is GB18030, `iso-8859-1`
is Windows-1252).
"""

from __future__ import annotations

import codecs
import re

WEB_NAMES = {
    "euc-kr": "cp949", "euckr": "cp949", "ks_c_5601-1987": "cp949", "ksc5601": "cp949",
    "windows-949": "cp949",
    "gb2312": "gb18030", "gbk": "gb18030", "gb_2312-80": "gb18030", "x-gbk": "gb18030",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252", "ascii": "cp1252", "us-ascii": "cp1252",
    "iso-8859-9": "cp1254", "tis-620": "cp874", "big5": "big5hkscs", "utf8": "utf-8", "unicode": "utf-16",
}  # fmt: skip
"""What a label means on the web (WHATWG Encoding Standard, section 4.2), in Python's names."""

GUESSES = [
    "cp949",
    "gb18030",
    "big5",
    "cp932",
    "euc_jp",
    "cp1252",
    "cp1250",
    "cp1251",
    "koi8_r",
    "cp1253",
    "cp1254",
]
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # text has none or next to none; ESC is ISO-2022's
GUESS_BYTES = 16_384
MOST_DAMAGE = 1 / 1000


def decode(body: bytes, label: str = "") -> tuple[str, str] | None:
    """The text of a page and the encoding it was in; None when no encoding fits (or it is binary).

    `label` is what the server declared, or "".
    """
    for mark, name in MARKS:
        if body.startswith(mark):
            return _strictly(body, name)
    labels = [label, _meta_label(body)]
    if b"\0" in body:  # UTF-16 without a mark, or not text at all
        return _first(body, [name for name in labels if "16" in name or "32" in name] + _utf16_by_zeros(body))
    return (
        (None if b"\x1b" in body else _strictly(body, "utf-8"))  # ISO-2022 is valid ASCII with escapes
        or _first(body, [*labels, "utf-8"])
        or _damaged_utf8(body)
        or _guessed(body)
    )


def _meta_label(body: bytes) -> str:
    found = META.search(body, 0, 4096)
    return found.group(1).decode("ascii", "replace") if found else ""


def _strictly(body: bytes, name: str) -> tuple[str, str] | None:
    try:
        text, plain = body.decode(name), codecs.lookup(name).name
        return (text, plain) if len(CONTROL.findall(text[:4096])) <= 0.02 * min(len(text), 4096) else None
    except (UnicodeDecodeError, LookupError, ValueError):
        return None


def _first(body: bytes, labels: list[str]) -> tuple[str, str] | None:
    for label in labels:
        plain = label.strip().strip("\"'").lower()
        if plain and (found := _strictly(body, WEB_NAMES.get(plain, plain))):
            return found
    return None


def _utf16_by_zeros(body: bytes) -> list[str]:
    """In UTF-16 most zeros of Latin text share one parity; in a binary file they do not."""
    sample = body[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) < 0.2 * len(sample) / 2 or min(even, odd) > 0.02 * len(sample) / 2:
        return []
    return ["utf-16-le"] if odd > even else ["utf-16-be"]


def _damaged_utf8(body: bytes) -> tuple[str, str] | None:
    text = body.decode("utf-8", "replace")
    damage = text.count("\ufffd")
    # The bytes between must also show that it is UTF-8: some multi-byte characters that did decode.
    if damage <= MOST_DAMAGE * len(text) and len(text) - damage < len(body) - 3 * damage:
        return text, "utf-8"
    return None


def _guessed(body: bytes) -> tuple[str, str] | None:
    from charset_normalizer import from_bytes

    letters = re.sub(rb"<[^<>]{0,500}>", b" ", body[: 8 * GUESS_BYTES])[
        :GUESS_BYTES
    ]  # tags are ASCII and say nothing
    best = from_bytes(letters, cp_isolation=GUESSES, preemptive_behaviour=False).best()
    return _strictly(body, best.encoding) if best else None
