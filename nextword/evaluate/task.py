"""`Task`: conversations and a reward. One object feeds finetuning, evaluation and reinforcement learning.

A task's conversations end where the assistant should speak; `reward` looks at a conversation in which it has
spoken and gives a number, 1.0 for right. So whatever can be asked and checked is written once: finetuning
takes `answered`, where an ideal answer is known; evaluation generates and counts; RL generates and learns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from nextword.common.records import Conversation, Message
from nextword.data.questions import Question
from nextword.evaluate.answers import is_right, token_f1


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


@dataclass
class Questions:
    """Questions about pages, closed book or with a page at hand.

    pages: for each question's id the page to show, as a `tool` message; a question without one is closed
    book.
    """

    name: str
    questions: Sequence[Question]
    pages: dict[str, str] = field(default_factory=dict)

    @property
    def conversations(self) -> list[Conversation]:
        """Each question as a person asks it, and the page that a search gave."""
        return [self._asked(question) for question in self.questions]

    def reward(self, conversation: Conversation) -> float:
        """1.0 where the answer says what the page says."""
        return float(is_right(self.question(conversation), said(conversation)))

    def f1(self, conversation: Conversation) -> float:
        """Shared words of the answer and the nearest accepted one."""
        return token_f1(said(conversation), self.question(conversation).gold)

    def question(self, conversation: Conversation) -> Question:
        """The question that a conversation asks."""
        return self._by_id[conversation.meta["id"]]

    @cached_property
    def _by_id(self) -> dict[str, Question]:
        return {question.id: question for question in self.questions}

    def _asked(self, question: Question) -> Conversation:
        messages = [Message("user", question.text)]
        if page := self.pages.get(question.id):
            messages.append(Message("tool", page, name="search"))
        return Conversation(messages, meta={"id": question.id, "lang": question.lang, "type": question.type})


def said(conversation: Conversation) -> str:
    """The text of the last message, which should be the assistant's."""
    content = conversation.messages[-1].content
    return content if isinstance(content, str) else text_of(content)


def text_of(parts: Sequence[dict[str, Any]]) -> str:
    """The text among OpenAI content parts."""
    return "".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")


def answered(conversation: Conversation, answer: str) -> Conversation:
    """The conversation with the assistant's answer."""
    return replace(conversation, messages=[*conversation.messages, Message("assistant", answer)])
