"""`Task`: conversations and a reward. One object feeds finetuning, evaluation and reinforcement learning.

A task's conversations end where the assistant should speak; `reward` looks at a conversation in which it has
spoken and gives a number, 1.0 for right. So whatever can be asked and checked is written once: finetuning
takes conversations that are `answered`, evaluation generates and counts, RL generates and learns.

A conversation's `meta` says what a report needs to know of it: `id` (of the question, in its language),
`lang`, `type`, `group` (questions of one group are right or wrong for one reason, see interval.py), `gold`
(what would have been right) and `url` (where a person can look it up). The model never sees it.

Base models have never seen a conversation. They are shown a task's `examples`, answered conversations that
are no questions of it, as plain text (few_shot.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

from nextword.common.dialogue import text_in
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message, digest
from nextword.data.questions import Question
from nextword.evaluate.answers import CHECKS, is_right, token_f1


@runtime_checkable
class Task(Protocol):
    """Something to ask, and a way to tell how good an answer is."""

    @property
    def name(self) -> str:
        """What a report calls it."""
        ...

    @property
    def conversations(self) -> Sequence[Conversation]:
        """What is asked, each ending where the assistant should speak; ids in `meta["id"]`."""
        ...

    def reward(self, conversation: Conversation) -> float:
        """How good the last answer is; 1.0 is right, 0.0 wrong."""
        ...


@runtime_checkable
class Detailed(Protocol):
    """A task that can say more about an answer than whether it is right."""

    def details(self, conversation: Conversation) -> dict[str, float]:
        """Further measures of the last answer, by name."""
        ...


@runtime_checkable
class Exemplified(Protocol):
    """A task that has worked examples, for models that need them."""

    @property
    def examples(self) -> Sequence[Conversation]:
        """Answered conversations that are not asked; `meta` has their `lang` and `type`."""
        ...


@dataclass
class Questions:
    """Questions about pages, closed book or with a page at hand.

    pages: for each question's id the page to show, as a `tool` message; a question without one is closed
    book. worked: other questions, whose answers may be shown as examples.
    """

    name: str
    questions: Sequence[Question]
    pages: dict[str, str] = field(default_factory=dict)
    worked: Sequence[Question] = ()

    def __post_init__(self) -> None:
        """BadInput for a question of a type that no machine can check."""
        if unknown := next((one for one in self.questions if one.type not in CHECKS), None):
            what = f"question {unknown.id!r:.80} is of the unknown type {unknown.type!r:.40}"
            raise BadInput(what, where=self.name, do=f"choose among {', '.join(CHECKS)}")

    @property
    def conversations(self) -> list[Conversation]:
        """Each question as a person asks it, and the page that a search gave."""
        return [self._asked(question) for question in self.questions]

    @property
    def examples(self) -> list[Conversation]:
        """The worked questions with their answers; with their pages where ours are shown any."""
        shown = {question.id: question.page for question in self.worked} if self.pages else {}
        return [answered(self._asked(question, shown), question.answer) for question in self.worked]

    def reward(self, conversation: Conversation) -> float:
        """1.0 where the answer says what the page says."""
        return float(is_right(self.question(conversation), said(conversation)))

    def details(self, conversation: Conversation) -> dict[str, float]:
        """F1 with the nearest accepted answer."""
        return {"f1": self.f1(conversation)}

    def f1(self, conversation: Conversation) -> float:
        """Shared words of the answer and the nearest accepted one."""
        return token_f1(said(conversation), self.question(conversation).gold)

    def graded(self, conversation: Conversation) -> float:
        """1.0 for right, half of F1 for wrong: finer than `reward`; nothing wrong reaches what is right."""
        return self.reward(conversation) or self.f1(conversation) / 2

    def question(self, conversation: Conversation) -> Question:
        """The question that a conversation asks."""
        return self._by_id[conversation.meta["id"]]

    @cached_property
    def _by_id(self) -> dict[str, Question]:
        return {question.id: question for question in self.questions}

    def _asked(self, question: Question, pages: dict[str, str] | None = None) -> Conversation:
        messages = [Message("user", question.text)]
        if page := (self.pages if pages is None else pages).get(question.id):
            messages.append(Message("tool", page, name="search"))
        meta = {
            "id": question.id, "lang": question.lang, "type": question.type, "group": question.function_id,
            "gold": question.gold[0], "url": question.url,
        }  # fmt: skip
        return Conversation(messages, meta=meta)


def open_book(name: str, questions: Sequence[Question], worked: Sequence[Question] = ()) -> Questions:
    """The questions, each with the page that answers it."""
    return Questions(name, questions, {question.id: question.page for question in questions}, worked)


def said(conversation: Conversation) -> str:
    """The text of the last message, which should be the assistant's."""
    return text_of(conversation.messages[-1])


def asked(conversation: Conversation) -> str:
    """The text of the last thing the user said; "" where there is none."""
    return next((text_of(each) for each in reversed(conversation.messages) if each.role == "user"), "")


def text_of(message: Message) -> str:
    """A message's text, be it a string or among OpenAI's content parts."""
    return text_in(message.content)


def answered(conversation: Conversation, answer: str) -> Conversation:
    """The conversation with the assistant's answer."""
    return replace(conversation, messages=[*conversation.messages, Message("assistant", answer)])


def subset(ids: Sequence[str], most: int, seed: int = 0) -> list[int]:
    """Which `most` of these to take (0 takes all), in order; a larger number only adds to a smaller one's.

    A hash of the id decides, so the same questions are taken on every machine, however the file is ordered.
    """
    order = sorted(range(len(ids)), key=lambda at: digest(f"subset:{seed}:{ids[at]}"))
    return sorted(order[:most] if most else order)
