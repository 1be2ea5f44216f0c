"""Which language a page is in: by its script where the script decides, by py3langid where it does not.

Documentation is half code, and code looks like English (or, to a classifier of bytes, like Latin or
Luxembourgish). So a page in Hangul is Korean if a tenth of its letters are Hangul, however much code
stands between them; kana says Japanese, Han without kana Chinese. Among Latin letters py3langid decides
(Lui & Baldwin 2012), on lines that look like prose; pages without enough prose (lists of names, tables)
are taken for English, the language of code.
"""

from __future__ import annotations

import re
from typing import Any

SCRIPTS = {
    "hangul": re.compile(r"[\uac00-\ud7a3\u3131-\u318e]+"),
    "kana": re.compile(r"[\u3040-\u30ff]+"),
    "han": re.compile(r"[\u3400-\u9fff]+"),
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f]+"),
    "other": re.compile(
        r"[\u0370-\u1cff]+"
    ),  # Greek, Cyrillic, Hebrew, Arabic, the scripts of India, Thai ...
}
SAMPLE = 4_000
"""Characters looked at, from the middle of the page: its head and foot are menus."""
PROSE_SAMPLE = 600
LEAST_SHARE = 0.10
"""A script with this share of the letters names the language. One Hangul syllable or Han character says about
as much as three Latin letters, so it is weighed so."""
LEAST_PROSE = 200
PROSE_LINE = re.compile(r"(?m)^(?!.*--)[^\n{}=<>|\\_;/+*]{40,}$")  # not code, not the ruler of a table
ENGLISH = frozenset(("the", "of", "and", "to", "is", "that", "it", "for", "with", "be", "this", "are"))
PLAINLY_ENGLISH = 0.12
"""A sample with this share of those words needs no classifier, which takes a millisecond and can be wrong."""
CODE_LANGUAGE = "en"


def language(text: str) -> str:
    """The ISO 639-1 code of a text's main language; "" when it has no letters."""
    start = max(0, (len(text) - SAMPLE) // 2)
    sample = text[start : start + SAMPLE]
    if sample.isascii():
        return _latin(sample) if any(map(str.isalpha, sample)) else ""
    share = _shares(sample)
    if not share:
        return ""
    if share["hangul"] >= LEAST_SHARE and share["hangul"] >= share["kana"] + share["han"] / 2:
        return "ko"
    if share["kana"] >= LEAST_SHARE / 2 and share["han"] + share["kana"] >= LEAST_SHARE:
        return "ja"
    if share["han"] >= LEAST_SHARE:
        return "zh"
    return _classify(sample[:PROSE_SAMPLE]) if share["other"] >= 0.3 else _latin(sample)


def _latin(sample: str) -> str:
    prose = " ".join(PROSE_LINE.findall(sample))[:PROSE_SAMPLE]
    found_words = prose.lower().split()
    if sum(word in ENGLISH for word in found_words) > PLAINLY_ENGLISH * len(found_words):
        return "en"
    found = _classify(prose) if len(prose) >= LEAST_PROSE else CODE_LANGUAGE
    return CODE_LANGUAGE if found == "zxx" else found  # zxx: no linguistic content


def _shares(sample: str) -> dict[str, float]:
    weight = {"hangul": 3, "kana": 3, "han": 3}
    counts = {
        name: weight.get(name, 1) * sum(map(len, script.findall(sample))) for name, script in SCRIPTS.items()
    }
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def _classify(text: str) -> str:
    import py3langid

    answer: Any = py3langid.classify(text)
    return str(answer[0])
