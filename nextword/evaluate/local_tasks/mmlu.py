"""MMLU: exam questions of 57 subjects with four options (Hendrycks et al. 2021).

The prompt is the paper's, with the letter as the option. The examples are the `dev` split's of the same
subject, in the file's order. Rows whose answer is no number are headers that slipped into the data; they are
left out (57 a split in the copy we know).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput
from nextword.evaluate.choice import Choice, Choices
from nextword.evaluate.local_tasks.files import found, objects
from nextword.evaluate.local_tasks.settings import LocalSettings

LETTERS = "ABCDEFGHIJ"
FILE = "mmlu_en/mmlu.jsonl"


def mmlu(data: Path, settings: LocalSettings) -> Choices:
    """The test split, with examples from the dev split."""
    splits: dict[str, list[Choice]] = {"dev": [], "test": []}
    for number, record in enumerate(objects(data, FILE, "split", "subject", "q", "choices", "answer"), 1):
        if str(record["answer"]).isdigit() and record["split"] in splits:
            splits[record["split"]].append(_choice(data, number, record))
    asked = settings.taken(splits["test"], lambda choice: choice.id)
    return Choices("mmlu", asked, splits["dev"], settings.shots)


def _choice(data: Path, number: int, record: dict[str, Any]) -> Choice:
    options, right = record["choices"], int(record["answer"])
    if not isinstance(options, list) or not right < len(options) <= len(LETTERS):
        raise BadInput(f"record {number} has no such option as its answer", where=found(data, FILE))
    subject = str(record["subject"])
    shown = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    about = subject.replace("_", " ")
    return Choice(
        f"{record['split']}-{number}",
        f"{str(record['q']).strip()}\n{shown}\nAnswer:",
        tuple(f" {letter}" for letter in LETTERS[: len(options)]),
        right,
        type=subject,
        preface=f"The following are multiple choice questions (with answers) about {about}.",
    )
