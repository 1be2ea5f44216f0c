"""Text as search terms, the same for pages and for questions.

Latin words are lower-cased. A name from a program gives the whole and its parts (`json.JSONEncoder` gives
`json.jsonencoder`, `json`, `jsonencoder`; `max_workers` also `max`, `workers`), since people ask for either.
Korean, Chinese and Japanese are cut into pairs of characters: Korean joins particles to its words, so words
do not repeat exactly, and pairs found the right paragraph of KorQuAD among the first five for 98 % of the
questions, words for 87 %. Morphemes (Kiwi) would be a little better and a hundred times slower.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

TOKEN = re.compile(
    r"[^\W_\u1100-\uffff]+(?:[._]+[^\W_\u1100-\uffff]+)*|[\u1100-\u11ff\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff]+"
)
PART = re.compile(r"[^\W_]+")
LONGEST = 64
FIRST_PAIRED = "\u1100"
"""From Hangul on, words are cut into pairs."""

ENGLISH = """
a an and are as at be by can do does explain for from has have how i in is it its me my of on or
please tell that the this to was what when where which who why will with you your
"""
KOREAN = """
가 과 그 그럼 나 너 는 도 를 만 뭐 뭐야 뭐예요 뭔가요 무슨 무엇 무엇을 무엇이
무엇인가요 무엇인지 방법 방법은 설명해 써요 쓰나요 알려 알려줘 어느 어디 어디에 어떤
어떻게 에 에서 얼마 얼마나 얼마인가요 역할 역할은 역할이 와 왜 으로 은 을 의 이 이란 있나요 있어 있어요
주세요 줘 되나요 하나요 하는 하는지 하면 해 해야 해요 했나요
"""
COMMON = frozenset(re.findall(r"\S+", ENGLISH + KOREAN))
"""Words that say nothing about what is asked."""


def terms(text: str) -> Iterator[str]:
    """The terms of a text, in order."""
    for word in _words(text):
        yield from _of(word)


def asked_terms(question: str) -> list[str]:
    """The terms of a question worth looking for, each once; all of them where nothing else is left."""
    worth = [word for word in _words(question) if word not in COMMON]
    found = [term for word in worth for term in _of(word)]
    return list(dict.fromkeys(found or terms(question)))


def by_script(found: Iterable[str]) -> tuple[list[str], list[str]]:
    """(Latin and the like, Korean, Chinese and Japanese) terms.

    >>> by_script(["json.dumps", "함수"])
    (['json.dumps'], ['함수'])
    """
    sides: tuple[list[str], list[str]] = ([], [])
    for term in found:
        sides[term >= FIRST_PAIRED].append(term)
    return sides


def pairs(word: str) -> list[str]:
    """A run of characters as overlapping pairs; a single one as itself.

    >>> pairs("언어모델"), pairs("말")
    (['언어', '어모', '모델'], ['말'])
    """
    return [word[n : n + 2] for n in range(len(word) - 1)] or [word]


def _words(text: str) -> Iterator[str]:
    for found in TOKEN.finditer(unicodedata.normalize("NFC", text)):
        yield found[0].lower()[:LONGEST]


def _of(word: str) -> Iterator[str]:
    if word >= FIRST_PAIRED:
        yield from pairs(word)
        return
    yield word
    if "." in word or "_" in word:
        parts = [part for piece in word.split(".") for part in (piece, *PART.findall(piece))]
        yield from dict.fromkeys(part for part in parts if part and part != word)
