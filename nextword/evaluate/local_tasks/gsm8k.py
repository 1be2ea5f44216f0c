"""GSM8K: grade-school word problems whose answer is a number (Cobbe et al. 2021).

The answer is what follows `####`, where the examples' habit is kept, and else the last number of the text
(the harness calls these "strict" and "flexible"; ours is one after the other). Numbers are compared as
numbers: `$1,000.00` is 1000. The calculator marks of the data (`<<16-3=13>>`) are taken out of the examples.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from nextword.evaluate.exercises import Exercise, Exercises
from nextword.evaluate.local_tasks.files import objects, set_apart
from nextword.evaluate.local_tasks.settings import LocalSettings

NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
MARK = re.compile(r"<<[^>]*>>")
FOLDER = "gsm8k_en"
ROOM = 256
"""Tokens to think in; the longest answers of the data have about as many."""


def gsm8k(data: Path, settings: LocalSettings) -> Exercises:
    """The test set, with examples from the training set."""
    training = list(_exercises(data, "train"))
    ids = [each.id for each in training]
    worked, _ = set_apart(training, ids, [""] * len(ids), settings.shots)
    asked = settings.taken(_exercises(data, "test"), _id)
    return Exercises("gsm8k", asked, is_same_number, worked, room=ROOM)


def final_number(text: str) -> Decimal | None:
    """The number that a text ends with, if it has one.

    >>> final_number("So 3 * $4 = $12, that is 1,012.50 in all."), final_number("#### 7, as 3 + 4 = 7")
    (Decimal('1012.50'), Decimal('7'))
    """
    _, mark, after = text.rpartition("####")
    if mark and (first := NUMBER.search(after)):
        return Decimal(first[0].replace(",", ""))
    every = NUMBER.findall(text)
    return Decimal(every[-1].replace(",", "")) if every else None


def is_same_number(answer: str, gold: Sequence[str]) -> float:
    """1.0 where the answer's last number is the accepted one."""
    said = final_number(answer)
    return float(said is not None and said == final_number(gold[0]))


def _exercises(data: Path, split: str) -> list[Exercise]:
    records = objects(data, f"{FOLDER}/{split}.jsonl", "question", "answer")
    return [
        Exercise(
            f"{split}-{number}",
            record["question"].strip(),
            (record["answer"].rpartition("####")[2].strip(),),
            MARK.sub("", record["answer"]).strip(),
        )
        for number, record in enumerate(records)
    ]


def _id(exercise: Exercise) -> str:
    return exercise.id
