"""Papers: which tasks an evaluation puts to every stage, and which of their questions.

Questions about the documents are put twice, from memory and with their page shown. A question comes in both
of its languages or not at all, so that the languages are compared on the same functions. The examples for
base models are taken out of them first, in both languages: whatever is asked was shown to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nextword.data.questions import Question
from nextword.evaluate.choice import Choices
from nextword.evaluate.local_tasks import read_task
from nextword.evaluate.local_tasks.files import set_apart
from nextword.evaluate.local_tasks.settings import LocalSettings
from nextword.evaluate.refusal import Refusals, own_prompts, xstest
from nextword.evaluate.task import Questions, Task, open_book, subset

XSTEST = "xstest"


def papers_of(
    questions: Sequence[Question], names: Sequence[str], data: Path, most: int = 400, shots: int = 3
) -> list[Task | Choices]:
    """Documentation questions, our own requests, and well-known tests by their names (XSTest too).

    data: the folder of those tests. most: questions of a task, 0 for all. shots: examples of each language
    and type that are set apart, a quarter of the questions at most.
    """
    tasks: list[Task | Choices] = [*documentation(questions, most, shots)] if questions else []
    tasks.append(Refusals("our own requests", own_prompts()))
    local = LocalSettings(most=most, shots=shots)
    for name in names:
        if name == XSTEST:
            tasks.append(Refusals(name, local.taken(xstest(data), lambda prompt: prompt.id)))
        else:
            tasks.append(read_task(name, data, local))
    return tasks


def documentation(
    questions: Sequence[Question], most: int = 400, shots: int = 3
) -> tuple[Questions, Questions]:
    """(from memory, with the page shown) of these questions."""
    ids, labels = [one.id for one in questions], [f"{one.lang}:{one.type}" for one in questions]
    worked, rest = set_apart(questions, ids, labels, min(shots * len(set(labels)), len(questions) // 4))
    shown = {_key(one) for one in worked}
    asked = _some([one for one in rest if _key(one) not in shown], most)
    return (
        Questions("documentation", asked, worked=worked),
        open_book("documentation, page shown", asked, worked),
    )


def _some(questions: Sequence[Question], most: int) -> list[Question]:
    """About so many of them (0: all), a question in all its languages or not at all."""
    keys = [_key(one) for one in questions]
    unique = list(dict.fromkeys(keys))
    share = most * len(unique) // max(1, len(questions))
    taken = {unique[at] for at in subset(unique, max(1, share) if most else 0)}
    return [one for one, key in zip(questions, keys, strict=True) if key in taken]


def _key(question: Question) -> str:
    """The question in whatever language."""
    return question.id.removesuffix(f":{question.lang}")
