"""A spot check: ten held-out questions answered by every stage, which a stranger can check by their links.

Figures over a thousand questions say how good a model is; ten questions that one can read say what that
means. They are chosen before anyone has answered them, by a hash of their ids: five English and five Korean
(more of one language where the other has too few), each about another function, types in turn. Right or wrong
is decided by machine, as in the exam.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nextword.common.progress import Progress
from nextword.common.records import digest
from nextword.data.phrases import LANGUAGES
from nextword.data.questions import TYPES, Question
from nextword.evaluate.exam import Examinee, Marked, sat
from nextword.evaluate.task import Questions

EACH = 5
"""Questions of a language."""


@dataclass(frozen=True)
class Checked:
    """A question and each stage's marked answer to it, by the stage's name."""

    question: Question
    answers: dict[str, Marked]


def spot_questions(questions: Sequence[Question], each: int = EACH) -> list[Question]:
    """`each` questions of every language, English first; what one has too few of, the other makes up for.

    Fewer where there are not enough functions.
    """
    taken: set[str] = set()
    of = {lang: [one for one in questions if one.lang == lang] for lang in LANGUAGES}
    found = {lang: _of_language(of[lang], each, taken) for lang in LANGUAGES}
    for lang in LANGUAGES:
        missing = each * len(LANGUAGES) - sum(map(len, found.values()))
        found[lang] += _of_language(of[lang], missing, taken)
    return [question for lang in LANGUAGES for question in found[lang]]


def spot_check(
    questions: Sequence[Question], stages: Mapping[str, Examinee], progress: Progress | None = None
) -> list[Checked]:
    """These questions put to every stage, from memory or with what it looks up.

    `stages.examinee_of` makes an examinee of a model, `exam.by_lookup` one of pages at hand.
    """
    task = Questions("spot check", questions)
    given = {name: sat(task, who, progress) for name, who in stages.items()}
    return [
        Checked(question, {name: results[at] for name, results in given.items()})
        for at, question in enumerate(questions)
    ]


def right_of(checked: Sequence[Checked]) -> dict[str, int]:
    """How many each stage has right."""
    totals: dict[str, int] = {}
    for one in checked:
        for name, answer in one.answers.items():
            totals[name] = totals.get(name, 0) + (answer.reward == 1.0)
    return totals


def spot_record(checked: Sequence[Checked]) -> list[dict[str, Any]]:
    """The check as JSON: what a terminal and a page show."""
    return [
        {
            "id": one.question.id,
            "lang": one.question.lang,
            "type": one.question.type,
            "question": one.question.text,
            "gold": one.question.gold,
            "url": one.question.url,
            "answers": {
                name: {"text": answer.reply.text, "right": answer.reward == 1.0, "end": answer.reply.end,
                       "error": answer.reply.error, "url": answer.reply.url}
                for name, answer in one.answers.items()
            },
        }
        for one in checked
    ]  # fmt: skip


def _of_language(questions: Sequence[Question], each: int, taken: set[str]) -> list[Question]:
    """Types in turn, functions that are not `taken`, which grows."""
    queues: dict[str, list[Question]] = defaultdict(list)
    for question in sorted(questions, key=lambda one: digest(f"spot check:{one.id}")):
        queues[question.type].append(question)
    order = [*(type for type in TYPES if type in queues), *sorted(set(queues) - set(TYPES))]
    start = len(taken) % max(1, len(order))  # where the language before has stopped
    order = order[start:] + order[:start]
    found: list[Question] = []
    while len(found) < each and any(queues.values()):
        for type in order:
            fresh = next((one for one in queues[type] if one.function_id not in taken), None)
            if fresh is None:
                queues[type].clear()
            elif len(found) < each:
                queues[type].remove(fresh)
                taken.add(fresh.function_id)
                found.append(fresh)
    return found
