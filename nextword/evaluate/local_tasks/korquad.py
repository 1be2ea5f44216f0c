"""KorQuAD 1.0: questions on paragraphs of the Korean Wikipedia, answered by words of them (Lim et al. 2019).

Measured as by its authors: quotation marks, brackets and ASCII punctuation count as nothing, case and spaces
are levelled, and F1 counts letters (syllables) and not words, since Korean particles stick to words. An
answer that quotes, as those of our finetuned models do, is read by its first quotation. The paragraph is
shown as a page that a search found. Its licence (CC BY-ND) lets the file be used unchanged only, so it is
read where it lies and nothing made of it is written.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nextword.common.errors import Corrupt
from nextword.evaluate.answers import claimed
from nextword.evaluate.exercises import Exercise, Exercises
from nextword.evaluate.local_tasks.files import document, found, set_apart
from nextword.evaluate.local_tasks.settings import LocalSettings

FILE = "korquad_ko/KorQuAD_v1.0_dev.json"
MARKS = re.compile(r"['\"《》<>〈〉()‘’“”]")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def korquad(data: Path, settings: LocalSettings) -> Exercises:
    """The development set, its examples taken out of it; reward is the exact match, a detail F1."""
    try:
        every = list(_exercises(document(data, FILE)))
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise Corrupt(f"not laid out as KorQuAD 1.0 is ({error})", where=found(data, FILE)) from error
    worked, rest = set_apart(every, [one.id for one in every], [""] * len(every), settings.shots)
    return Exercises("korquad", settings.taken(rest, _id), exact, worked, {"f1": f1})


def exact(answer: str, gold: Sequence[str]) -> float:
    """1.0 where the answer is one of the accepted ones, both levelled."""
    return float(any(level(claimed(answer)) == level(each) for each in gold))


def f1(answer: str, gold: Sequence[str]) -> float:
    """Shared letters with the nearest accepted answer, 0 to 1."""
    return max((_f1(level(claimed(answer)), level(each)) for each in gold), default=0.0)


def level(text: str) -> str:
    """Lower case, without marks and punctuation, single spaces.

    >>> level(" 《해리 포터》,  1권 ")
    '해리 포터 1권'
    """
    return " ".join(MARKS.sub(" ", text).lower().translate(PUNCTUATION).split())


def _f1(said: str, gold: str) -> float:
    one, other = Counter(said.replace(" ", "")), Counter(gold.replace(" ", ""))
    shared = (one & other).total()
    return 2 * shared / (one.total() + other.total()) if shared else 0.0


def _exercises(data: Any) -> Iterator[Exercise]:
    for article in data["data"]:
        for number, paragraph in enumerate(article["paragraphs"]):
            for question in paragraph["qas"]:
                gold = tuple(dict.fromkeys(each["text"] for each in question["answers"]))
                group = f"{article.get('title', '')}-{number}"
                yield Exercise(
                    question["id"], question["question"], gold, gold[0], "ko", group=group,
                    page=paragraph["context"],
                )  # fmt: skip


def _id(exercise: Exercise) -> str:
    return exercise.id
