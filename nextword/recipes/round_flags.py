"""Raising flags from where answers are seen: a chat, a question asked, an evaluation that failed.

    with FlagBox.open("runs/label/labels.db", "default", clock) as box:
        box.flag(conversation, "the default is None", "chat", "runs/python-docs")

Flags are raised in the name of the owner of longest standing, as everything on the command line is: whoever
can write the database's file is the owner. An answer of an evaluation is flagged with what would have been
right and where that stands, so that whoever mends it need not look it up; what they write is their own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from nextword.common.errors import BadInput
from nextword.common.records import Conversation, digest
from nextword.evaluate.card import Card
from nextword.evaluate.exam import Marked
from nextword.evaluate.task import answered
from nextword.label.database import Clock
from nextword.label.office import Office
from nextword.label.person import Person

EVALUATION = "evaluation"
LONGEST = 300
"""Letters of what would have been right, beside a flag."""


class FlagBox:
    """A project's flags, open to be raised."""

    def __init__(self, office: Office, project: str) -> None:
        """BadInput where there is no such project, or nobody who owns it."""
        self.office = office
        self.actor = owner_of(office)
        self.project = office.projects.get(self.actor, project).id

    @classmethod
    def open(cls, labels: str, project: str, clock: Clock) -> Self:
        """The project of this name in a database that is there."""
        office = Office.open(labels, clock, must_exist=True)
        try:
            return cls(office, project)
        except BaseException:
            office.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.office.close()

    def flag(self, conversation: Conversation, why: str, origin: str, model: str) -> int:
        """Flag the last answer; returns the number of the task that it has become."""
        lang = str(conversation.meta.get("lang", ""))
        return self.office.flags.raise_flag(
            self.actor, self.project, conversation, why, origin, model, wants="correct", lang=lang
        )

    def flag_wrong(self, card: Card, stage: str, most: int) -> int:
        """Flag a stage's wrong answers from memory to documentation questions, at most `most`; how many.

        Which ones is decided by a hash of the question, so nobody picks them. What the stage did not say
        cannot be corrected: empty answers, and questions that could not be put, are left out.
        """
        wrong = {
            one.id: one
            for one in card.answers
            if one.of("stage") == stage and card.kinds[one.of("task")] == "questions"
            if one.reward < 1.0 and one.reply.text.strip()
        }
        chosen = sorted(wrong, key=lambda id: digest(f"flag:{id}"))[:most]
        return len({self._flag_one(wrong[id], stage) for id in chosen})

    def _flag_one(self, one: Marked, model: str) -> int:
        kept = {name: value for name, value in one.conversation.meta.items() if name not in ("stage", "task")}
        kept["question"] = kept.pop("id", "")  # as a record of labels it gets an id of its own
        conversation = answered(replace(one.conversation, meta=kept), one.reply.text)
        return self.flag(conversation, _why(one), EVALUATION, model)


def owner_of(office: Office) -> Person:
    """The owner in whose name the command line acts."""
    owner = office.people.owner()
    if owner is None:
        raise BadInput("nobody is here yet", do="make an owner with `nextword label init`")
    return owner


def _why(one: Marked) -> str:
    gold, url = one.of("gold"), one.of("url")
    says = f"the page says {gold[:LONGEST]!r}" if gold else "wrong"
    return f"{says} ({url})" if url else says
