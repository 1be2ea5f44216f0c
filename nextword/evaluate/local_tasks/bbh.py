"""BIG-Bench Hard: 27 tasks on which models were once worse than people (Suzgun et al. 2022).

The answer is free text and must be exactly the target: an option's letter, True or False, a number, words in
order. The three examples of each task are the authors', with their thoughts (`reasoning`, the paper's "CoT")
or with the answer alone. What counts of an answer is what stands after "the answer is", where it says that,
else its first line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nextword.common.errors import BadInput
from nextword.evaluate.exercises import Exercise, Exercises
from nextword.evaluate.local_tasks.files import lines, objects
from nextword.evaluate.local_tasks.settings import LocalSettings

FOLDER = "bbh_en"
ROOM = 384
"""Tokens to think in."""
SAYS = re.compile(r"(?i)\bthe answer is:?\s*")
TASK = re.compile(r"[a-z_0-9]+")


def bbh(data: Path, settings: LocalSettings) -> Exercises:
    """All tasks together; `type` is the task."""
    records = list(objects(data, f"{FOLDER}/bbh.jsonl", "task", "input", "target"))
    shown = {task: _examples(data, task, settings) for task in sorted({str(one["task"]) for one in records})}
    asked = []
    for number, record in enumerate(records):
        task, target = str(record["task"]), str(record["target"])
        preface = shown[task][0]
        asked.append(_exercise(f"{task}-{number}", task, preface, str(record["input"]), target, target))
    worked = [each for _, examples in shown.values() for each in examples]
    room = ROOM if settings.reasoning else Exercises.room
    return Exercises("bbh", settings.taken(asked, lambda one: one.id), is_target, worked, room=room)


def is_target(answer: str, gold: Sequence[str]) -> float:
    """1.0 where the answer, as far as it counts, is the target."""
    return float(plain(final(answer)) == plain(gold[0]))


def final(answer: str) -> str:
    """The part of an answer that counts.

    >>> final("A and B is False. So the answer is False."), final("(B)\\nQ: next")
    ('False.', '(B)')
    """
    *_, last = SAYS.split(answer)
    return last.strip().partition("\n")[0]


def plain(text: str) -> str:
    """Without case, spaces at the ends, the full stop, and the parentheses of an option's letter."""
    bare = text.strip().rstrip(".").strip().lower()
    letter = re.fullmatch(r"\(?([a-z])\)", bare)
    return letter[1] if letter else bare


def _examples(data: Path, task: str, settings: LocalSettings) -> tuple[str, list[Exercise]]:
    """(what the task is, its worked examples)."""
    if not TASK.fullmatch(task):
        raise BadInput(f"{task!r:.60} is no name of a task", where=data / FOLDER)
    text = "\n".join(lines(data, f"{FOLDER}/cot-prompts/{task}.txt"))
    preface, *blocks = text.partition("-----\n")[2].strip().split("\n\nQ: ")
    worked = []
    for number, block in enumerate(blocks[: settings.shots]):
        question, _, answer = block.partition("\nA:")
        thought = answer.strip()
        target = SAYS.split(thought)[-1].strip().rstrip(".")
        shown = thought if settings.reasoning else target
        worked.append(_exercise(f"{task}-example-{number}", task, preface, question, target, shown))
    return preface, worked


def _exercise(id: str, task: str, preface: str, text: str, target: str, worked: str) -> Exercise:
    return Exercise(id, text.strip(), (target.strip(),), worked.strip(), type=task, preface=preface)
