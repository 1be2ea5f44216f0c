"""PIQA: which of two ways of reaching an everyday goal would work (Bisk et al. 2020).

The options are whole sentences of different lengths, so the reading per byte is the one to look at. Only the
validation split is public with labels: the examples are taken out of it.
"""

from __future__ import annotations

from pathlib import Path

from nextword.common.errors import BadInput
from nextword.evaluate.choice import Choice, Choices
from nextword.evaluate.local_tasks.files import found, lines, objects, set_apart
from nextword.evaluate.local_tasks.settings import LocalSettings

QUESTIONS, LABELS = "piqa_en/valid.jsonl", "piqa_en/valid-labels.lst"


def piqa(data: Path, settings: LocalSettings) -> Choices:
    """The validation split."""
    labels = [line.strip() for line in lines(data, LABELS) if line.strip()]
    records = list(objects(data, QUESTIONS, "goal", "sol1", "sol2"))
    if len(labels) != len(records) or not set(labels) <= {"0", "1"}:
        what = f"{len(labels):,} labels for {len(records):,} questions, expected one each, 0 or 1"
        raise BadInput(what, where=found(data, LABELS))
    choices = [
        Choice(
            f"valid-{number}",
            f"Question: {record['goal'].strip()}\nAnswer:",
            (f" {record['sol1'].strip()}", f" {record['sol2'].strip()}"),
            int(label),
        )
        for number, (record, label) in enumerate(zip(records, labels, strict=True))
    ]
    worked, rest = set_apart(choices, [each.id for each in choices], labels, settings.shots)
    return Choices("piqa", settings.taken(rest, lambda choice: choice.id), worked, settings.shots)
