"""Is it worth reading? Rules of thumb from the papers that published theirs, with thresholds for
documentation.

    rule                      paper                           there          here, and why
    words on a page           Gopher (Rae et al. 2021, A1.1)  50 to 100,000  40 to 1,000,000: reference pages
                                                                             are long; Han counts by character
    mean word length          Gopher                          3 to 10        2 to 12, and of English only
    symbols (#, ...) a word   Gopher                          0.1            0.1
    lines that are bullets    Gopher                          0.9            0.9
    lines ending in "..."     Gopher                          0.3            0.3
    words with a letter       Gopher                          0.8            0.5: tables of numbers
    stop words                Gopher                          2              2, of English only
    "lorem ipsum"             C4 (Raffel et al. 2020)         drop           drop
    asking for JavaScript     C4                              drop the line  drop the line; cookies too
    curly brackets            C4                              drop           keep: code is what we teach
    short lines               FineWeb (Penedo et al. 2024)    0.67 under 30  0.9 under 30: signatures
    ending in punctuation     FineWeb                         0.12           left out: so do not headings,
                                                                             signatures and code
    top n-gram share          Gopher                          .20 .18 .16    the same (n = 2, 3, 4)
    repeated n-gram share     Gopher                          .15 to .10     .30 (n = 10) alone: reference
                                                                             pages do repeat themselves

Gopher's and FineWeb's rules about repeated lines are not here, because repeated lines are removed, not
counted (repeated.py), and the two n-gram rules look at what that left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from nextword.data.words import shingles, word_hashes, words

STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
BULLETS = ("•", "-", "*", "‣", "◦", "·", "–")
ELLIPSES = ("...", "…")
LATIN_WORD = re.compile(r"[a-z]+")
NOTICE = re.compile(
    r"(?im)^.{0,80}\b(?:enable javascript|javascript is (?:disabled|required)|(?:use|uses|using) cookies|"
    r"accept (?:all )?cookies|자바스크립트를 (?:사용|활성화|켜)|쿠키를 사용).{0,160}$\n?"
)


@dataclass(frozen=True)
class Thresholds:
    """The numbers of the table above."""

    least_words: int = 40
    most_words: int = 1_000_000
    mean_length: tuple[float, float] = (2.0, 12.0)
    most_symbols: float = 0.1
    most_bullets: float = 0.9
    most_ellipses: float = 0.3
    least_lettered: float = 0.5
    least_stop_words: int = 2
    most_short_lines: float = 0.9
    top_ngrams: tuple[tuple[int, float], ...] = ((2, 0.20), (3, 0.18), (4, 0.16))
    repeated_ngrams: tuple[int, float] = (10, 0.30)


def without_notices(text: str) -> str:
    """The text without the lines that ask for JavaScript or cookies (C4)."""
    return NOTICE.sub("", text)


def poor_quality(text: str, lang: str, limits: Thresholds) -> str:
    """Why a page is not worth reading, in a few words; "" when it is."""
    found = words(text)
    lines = [stripped for line in text.split("\n") if (stripped := line.strip())]
    if len(found) < limits.least_words:
        return "too few words"
    if len(found) > limits.most_words:
        return "too many words"
    if "lorem ipsum" in text.lower():
        return "lorem ipsum"
    return _odd_words(found, text, lang, limits) or _odd_lines(lines, limits)


def _odd_words(found: list[str], text: str, lang: str, limits: Thresholds) -> str:
    symbols = text.count("#") + text.count("...") + text.count("…")
    if symbols > limits.most_symbols * len(found):
        return "too many symbols"
    if sum(map(_has_letter, found)) < limits.least_lettered * len(found):
        return "too few words with letters"
    latin = [word for word in found if word.isascii() and word.isalpha()]
    if lang == "en" and latin:
        low, high = limits.mean_length
        if not low <= sum(map(len, latin)) / len(latin) <= high:
            return "words too short or too long"
        if len(STOP_WORDS.intersection(latin)) < limits.least_stop_words:
            return "too few stop words"
    return ""


def _has_letter(word: str) -> bool:
    return not word.isdigit()


def _odd_lines(lines: list[str], limits: Thresholds) -> str:
    if sum(line.startswith(BULLETS) for line in lines) > limits.most_bullets * len(lines):
        return "nearly all bullets"
    if sum(line.endswith(ELLIPSES) for line in lines) > limits.most_ellipses * len(lines):
        return "lines cut off by ..."
    if sum(len(line) < 30 for line in lines) > limits.most_short_lines * len(lines) and len(lines) > 20:
        return "nearly all short lines"
    return ""


def repetitive(text: str, limits: Thresholds) -> str:
    """Why a page says the same thing again and again (Gopher's n-gram rules), in a few words; "" when it
    does not.

    Counted in words instead of Gopher's characters: the same within a few percent, and an array operation.
    """
    hashes = word_hashes(words(text))
    for n, most in limits.top_ngrams:
        if len(hashes) >= 4 * n:
            _, counts = np.unique(shingles(hashes, n), return_counts=True)
            if counts.max() > 2 and counts.max() * n > most * len(hashes):
                return f"one {n}-word phrase all over"
    n, most = limits.repeated_ngrams
    if len(hashes) >= 4 * n:
        grams = shingles(hashes, n)
        if 1 - len(np.unique(grams)) / len(grams) > most:
            return f"{n}-word phrases repeated"
    return ""
