"""Flags: an answer that went wrong becomes a task to correct it or to write a better one.

Whoever meets a bad answer (a person in the chat, an evaluation that failed) flags the conversation; people
mend it ahead of the queue; the mended answers join the next version of the dataset (`sources=("flag",)` in
datasets.py). Flagging the same answer twice makes one task.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from nextword.common.dialogue import plain
from nextword.common.errors import BadInput
from nextword.common.records import Conversation
from nextword.label.database import Database
from nextword.label.person import Person
from nextword.label.project import project_row
from nextword.label.schema import LabelRow, TaskRow
from nextword.label.tasks import SOON, NewTask, TaskSummary, add, summary
from nextword.label.text import checked


@dataclass(frozen=True)
class Flag:
    """A flagged answer: why, where it came from, and whether it has been mended."""

    task: TaskSummary
    why: str
    origin: str
    model: str
    at: datetime
    is_mended: bool


class Flags:
    """Raising flags, and seeing what became of them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def raise_flag(
        self,
        actor: Person,
        project: int,
        conversation: Conversation,
        why: str,
        origin: str = "chat",
        model: str = "",
        wants: Literal["correct", "write"] = "correct",
        lang: str = "",
    ) -> int:
        """Flag a conversation's last answer; returns the task's number. Anybody with an account may.

        wants: correct shows the answer as a draft, write asks for a new one.
        """
        messages = plain(conversation.messages)
        if len(messages) < 2 or messages[-1]["role"] != "assistant":
            raise BadInput("there is no answer to flag", do="flag a conversation that ends with one")
        about = {"flag": {"why": checked(why, "the reason", most=10_000), "origin": origin, "model": model}}
        if conversation.tools:
            about["tools"] = conversation.tools  # type: ignore[assignment]
        new = NewTask(
            wants,
            messages[:-1],
            {"draft": messages[-1:], "by": model} if wants == "correct" else {},
            about=about,
            lang=lang,
            overlap=1,
            source="flag",
            origin={**conversation.meta, "flagged_by": actor.pseudonym},
            priority=SOON,
        )
        with self.database.write(actor) as change:
            project_row(change.session, project, is_locked=True)
            row, is_new = add(change, project, new)
            if is_new:
                change.note("flag", f"task {row.id}", why=why, origin=origin, model=model)
            return row.id

    def raised(self, actor: Person, project: int) -> list[Flag]:
        """Every flag of the project, newest first."""
        actor.must("reviewer", "see the flags")
        good = select(LabelRow.task_id).where(
            LabelRow.state == "submitted", LabelRow.verdict.in_(("", "accepted", "amended"))
        )
        wanted = select(TaskRow, TaskRow.id.in_(good)).where(
            TaskRow.project_id == project, TaskRow.source == "flag"
        )
        with self.database.read() as session:
            return [
                Flag(
                    summary(row, int(is_mended)),
                    **row.material["about"]["flag"],
                    at=row.created,
                    is_mended=is_mended,
                )
                for row, is_mended in session.execute(wanted.order_by(TaskRow.id.desc()))
            ]
