"""`Exercises`: a task made of questions that were read from somewhere, and a way to check their answers.

The answer is free text, so each kind of exercise comes with its own `check`: the last number, the letter of
an option, a span of a page. What the check cannot read is wrong, even where a person would have understood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from nextword.common.records import Conversation, Message
from nextword.data.phrases import Lang
from nextword.evaluate.task import answered, said

Check = Callable[[str, Sequence[str]], float]
"""How good an answer is, 0 to 1, given the accepted ones."""


@dataclass(frozen=True)
class Exercise:
    """One question. `worked` is how an example would answer it; `preface` and `page` are shown before it.

    Exercises of one `type` show each other as examples; those of one `group` are right or wrong together.
    """

    id: str
    text: str
    gold: tuple[str, ...]
    worked: str
    lang: Lang = "en"
    type: str = ""
    group: str = ""
    preface: str = ""
    page: str = ""

    @property
    def conversation(self) -> Conversation:
        """What is asked."""
        messages = [Message("system", self.preface)] if self.preface else []
        messages.append(Message("user", self.text))
        if self.page:
            messages.append(Message("tool", self.page, name="search"))
        meta = {"id": self.id, "lang": self.lang, "type": self.type, "group": self.group or self.id}
        return Conversation(messages, meta={**meta, "gold": self.gold[0]})


@dataclass
class Exercises:
    """A Task: exercises, examples of them, and their check.

    measures: further checks, by name. room: tokens that an answer may have.
    """

    name: str
    exercises: Sequence[Exercise]
    check: Check
    worked: Sequence[Exercise] = ()
    measures: Mapping[str, Check] = field(default_factory=dict)
    room: int = 64

    @property
    def conversations(self) -> list[Conversation]:
        """What is asked."""
        return [each.conversation for each in self.exercises]

    @property
    def examples(self) -> list[Conversation]:
        """Answered exercises that are not asked."""
        return [answered(each.conversation, each.worked) for each in self.worked]

    def reward(self, conversation: Conversation) -> float:
        """What the check says of the last answer."""
        return self.check(said(conversation), self._by_id[conversation.meta["id"]].gold)

    def details(self, conversation: Conversation) -> dict[str, float]:
        """What the further checks say."""
        gold = self._by_id[conversation.meta["id"]].gold
        return {name: check(said(conversation), gold) for name, check in self.measures.items()}

    @cached_property
    def _by_id(self) -> dict[str, Exercise]:
        return {each.id: each for each in self.exercises}
