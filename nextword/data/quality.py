"""Is it worth reading? Rules of thumb from the papers that published theirs, with thresholds for
documentation.

    rule                      paper                           there          here, and why
    words on a page           Gopher (Rae et al. 2021, A1.1)  50 to 100,000  40 to 1,000,000: reference pages
                                                                             are long; Han counts by character
    mean word length          Gopher                          3 to 10        2 to 15, and of English only
    symbols (#, ...) a word   Gopher                          0.1            0.1
    lines that are bullets    Gopher                          0.9            0.9
    lines ending in "..."     Gopher                          0.3            0.3
    words with a letter       Gopher                          0.8            0.5: tables of numbers
    stop words                Gopher                          2              2, of English only
    "lorem ipsum"             C4 (Raffel et al. 2020)         drop           drop where one in 1,000 letters
    asking for JavaScript     C4                              drop the line  drop the line; cookies too
    curly brackets            C4                              drop           keep: code is what we teach
    short lines               FineWeb (Penedo et al. 2024)    0.67 under 30  0.9 under 30: signatures
    ending in punctuation     FineWeb                         0.12           left out: so do not headings,
                                                                             signatures and code
    top n-gram share          Gopher                          .20 .18 .16    .30 .27 .24 (n = 2, 3, 4)
    repeated n-gram share     Gopher                          .15 to .10     .50 (n = 10) alone: reference
                                                                             pages do repeat themselves

Gopher's and FineWeb's rules about repeated lines are not here, because repeated lines are removed, not
counted (repeated.py), and the two n-gram rules look at what that left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from nextword.data.words import Hashes, distinct, shingles, word_count, word_hashes, words

STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
BULLETS = ("•", "-", "*", "‣", "◦", "·", "–")
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
HAS_LETTER = re.compile(r"[^\W\d_]")
SAMPLE = 4_000
"""Words from the middle of the page that the shares are taken of."""
REPETITION_SAMPLE = 100_000
"""Letters from the middle of the page that the n-gram rules look at: a book says no more by being whole."""
ELLIPSES = ("...", "…")
HASHTAG = re.compile(r"(?<=\S )#\w")  # not a heading or a comment, which begin their line
NOTICE = re.compile(
    r"(?im)^.{0,80}\b(?:enable javascript|javascript is (?:disabled|required)|(?:use|uses|using) cookies|"
    r"accept (?:all )?cookies|자바스크립트를 (?:사용|활성화|켜)|쿠키를 사용).{0,160}$\n?"
)


NOTICE_WORDS = (
    "avascript",
    "avaScript",
    "AVASCRIPT",
    "ookies",
    "COOKIES",
    "자바스크립트",
    "쿠키",
)  # a page without these needs no search


@dataclass(frozen=True)
class Thresholds:
    """The numbers of the table above."""

    least_words: int = 40
    most_words: int = 1_000_000
    mean_length: tuple[float, float] = (2.0, 15.0)
    most_symbols: float = 0.1
    most_bullets: float = 0.9
    most_ellipses: float = 0.3
    least_lettered: float = 0.5
    least_stop_words: int = 2
    most_short_lines: float = 0.9
    top_ngrams: tuple[tuple[int, float], ...] = ((2, 0.30), (3, 0.27), (4, 0.24))
    repeated_ngrams: tuple[int, float] = (10, 0.50)


def without_notices(text: str) -> str:
    """The text without the lines that ask for JavaScript or cookies (C4)."""
    return NOTICE.sub("", text) if any(word in text for word in NOTICE_WORDS) else text


def poor_quality(text: str, lang: str, limits: Thresholds) -> str:
    """Why a page is not worth reading, in a few words; "" when it is."""
    spaced = text.split()
    count = word_count(text)
    if count < limits.least_words:
        return "too few words"
    if count > limits.most_words:
        return "too many words"
    if "orem ipsum" in text and 1000 * text.lower().count("lorem ipsum") > len(text):
        return "lorem ipsum"
    symbols = (len(HASHTAG.findall(text)) if " #" in text else 0) + text.count("...") + text.count("…")
    if symbols > limits.most_symbols * count:
        return "too many symbols"
    lines = [stripped for line in text.split("\n") if (stripped := line.strip())]
    return _odd_words(spaced, lang, limits) or _odd_lines(lines, limits)


def _odd_words(spaced: list[str], lang: str, limits: Thresholds) -> str:
    start = max(0, (len(spaced) - SAMPLE) // 2)
    sample = spaced[start : start + SAMPLE]
    if sum(map(bool, map(HAS_LETTER.search, sample))) < limits.least_lettered * len(sample):
        return "too few words with letters"
    if lang == "en":
        low, high = limits.mean_length
        if not low <= sum(map(len, sample)) / len(sample) <= high:
            return "words too short or too long"
        if len(STOP_WORDS.intersection(map(str.lower, sample))) < limits.least_stop_words:
            return "too few stop words"
    return ""


def _odd_lines(lines: list[str], limits: Thresholds) -> str:
    if sum(line.startswith(BULLETS) for line in lines) > limits.most_bullets * len(lines):
        return "nearly all bullets"
    if sum(line.endswith(ELLIPSES) for line in lines) > limits.most_ellipses * len(lines):
        return "lines cut off by ..."
    if sum(map(_is_short, lines)) > limits.most_short_lines * len(lines) and len(lines) > 20:
        return "nearly all short lines"
    return ""


def repetitive(text: str, limits: Thresholds) -> str:
    """Why a page says the same thing again and again (Gopher's n-gram rules), in a few words; "" when it
    does not.

    Counted in words instead of Gopher's characters: the same within a few percent, and an array operation.
    """
    start = max(0, (len(text) - REPETITION_SAMPLE) // 2)
    hashes = word_hashes(words(text[start : start + REPETITION_SAMPLE]))
    for n, most in limits.top_ngrams:
        if len(hashes) >= 4 * n:
            count = _most_common(shingles(hashes, n))
            if count > 2 and count * n > most * len(hashes):
                return f"one {n}-word phrase all over"
    n, most = limits.repeated_ngrams
    if len(hashes) >= 4 * n:
        grams = shingles(hashes, n)
        if 1 - len(distinct(grams)) / len(grams) > most:
            return f"{n}-word phrases repeated"
    return ""


def _is_short(line: str) -> bool:
    """Under 30 Latin letters, of which a Han character or a Hangul syllable says about three."""
    return len(line) < 30 and len(line) + 2 * len(WIDE.findall(line)) < 30


def _most_common(hashes: Hashes) -> int:
    """How often the commonest hash occurs."""
    ordered = np.sort(hashes)
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return int(np.diff(ends, prepend=-1).max())
