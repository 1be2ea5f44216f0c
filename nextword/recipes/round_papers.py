"""What both models are asked in a round: all that may not get worse, and what should have got better.

corrected answers       each flagged question; right by the documentation's own key where the question is
                        one of it, else by the words of the approved answer
in the other language   the same questions in the language they were not corrected in, for information
documentation           held-out questions, from memory and with the page shown, but none about a function
                        that was corrected: the model has been told those answers now
former answers          conversations set apart (round_data.py)
our own requests        what should be refused, and what only sounds like it
canaries                a file of the user's: what must never be lost, each by itself
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nextword.common.dialogue import read_conversations
from nextword.common.errors import BadInput
from nextword.common.records import Conversation
from nextword.data.questions import Question
from nextword.evaluate.answers import claimed, is_right, token_f1
from nextword.evaluate.papers import documentation
from nextword.evaluate.refusal import Refusals, own_prompts
from nextword.evaluate.task import Questions, Task, asked, said
from nextword.recipes.round_data import function_of, id_of

SAME = 0.8
"""F1 with the approved answer from which on an answer says the same."""
CORRECTED, OTHER, FORMER, CANARIES = (
    "corrected answers",
    "in the other language",
    "former answers",
    "canaries",
)


@dataclass
class Approved:
    """A Task: conversations whose last answer is the approved one; right is what says the same.

    key: the documentation's questions that some of them are, by the conversation's id: those are marked by
    the documentation, whatever was approved.
    """

    name: str
    answered: Sequence[Conversation]
    key: Mapping[str, Question] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._approved = {str(one.meta["id"]): said(one) for one in self.answered}

    @property
    def conversations(self) -> list[Conversation]:
        """Each without its answer."""
        return [_asking(one) for one in self.answered]

    def reward(self, conversation: Conversation) -> float:
        """1.0 for an answer that says the same, or what the documentation says."""
        return float(self.is_right(str(conversation.meta["id"]), said(conversation)))

    def is_right(self, id: str, answer: str) -> bool:
        """Whether this would be a right answer to that conversation."""
        if id in self.key:
            return is_right(self.key[id], answer)
        return token_f1(answer, [claimed(self._approved[id])]) >= SAME

    @property
    def contradicting(self) -> list[Conversation]:
        """Those whose approved answer the documentation contradicts."""
        return [one for one in self.answered if not self.is_right(str(one.meta["id"]), said(one))]


@dataclass(frozen=True)
class Papers:
    """All tasks of a round."""

    corrected: Approved
    other: Questions
    gated: tuple[Task, ...]
    canaries: Approved

    @property
    def every(self) -> list[Task]:
        """Those that ask anything."""
        tasks: list[Task] = [self.corrected, self.other, *self.gated, self.canaries]
        return [task for task in tasks if task.conversations]


def papers_for(
    corrections: Sequence[Conversation],
    apart: Sequence[Conversation],
    questions: Sequence[Question],
    canaries: Sequence[Path],
    most: int,
) -> Papers:
    """The tasks of a round with these corrections. BadInput where nothing would be left to judge by."""
    by_text = {question.text: question for question in questions}
    asked_ones = [
        replace(one, meta={**one.meta, "id": id_of(one), "group": function_of(one) or id_of(one)})
        for one in corrections
    ]
    key = {str(one.meta["id"]): by_text[asked(one)] for one in asked_ones if asked(one) in by_text}
    corrected = Approved(CORRECTED, asked_ones, key)
    functions = {question.function_id for question in key.values()} | {
        function_of(one) for one in corrections
    }
    heldout = [question for question in questions if question.function_id not in functions]
    gated: list[Task] = [*documentation(heldout, most, 0)] if heldout else []
    if apart:
        gated.append(Approved(FORMER, apart))
    if not gated:
        raise BadInput(
            "nothing to judge the new model by",
            do="give held-out questions (--questions) or former conversations",
        )
    gated.append(Refusals("our own requests", own_prompts()))
    return Papers(
        corrected, Questions(OTHER, _siblings(key.values(), questions)), tuple(gated), read_canaries(canaries)
    )


def read_canaries(files: Iterable[Path]) -> Approved:
    """Conversations that end with the answer that must not be lost."""
    found = [one for file in files for one in read_conversations(file)]
    for number, one in enumerate(found, 1):
        if len(one.messages) < 2 or one.messages[-1].role != "assistant" or not said(one).strip():
            raise BadInput(f"canary {number} ends without an answer", do="end it with what must be said")
    return Approved(CANARIES, [replace(one, meta={**one.meta, "id": _name(one)}) for one in found])


def _asking(one: Conversation) -> Conversation:
    return replace(one, messages=one.messages[:-1], meta={**one.meta, "gold": claimed(said(one))})


def _siblings(asked_ones: Iterable[Question], questions: Sequence[Question]) -> list[Question]:
    """The same questions in the languages in which nobody corrected them."""
    corrected = {question.id for question in asked_ones}
    keys = {_key(question) for question in questions if question.id in corrected}
    return [one for one in questions if _key(one) in keys and one.id not in corrected]


def _key(question: Question) -> str:
    return question.id.removesuffix(f":{question.lang}")


def _name(one: Conversation) -> str:
    """What a person calls a canary: its id where it has one, else how its question begins."""
    return str(one.meta.get("id") or f"{asked(one)[:40]} [{id_of(one)[:6]}]")
