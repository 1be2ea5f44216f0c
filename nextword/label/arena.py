"""The arena: two models answer, a person who does not know which is which says who was better.

A battle is a comparison like any other (sides swapped and recorded, kept as a label, exported as preference
data), made and reserved for the person who asks; one that is left without a vote goes to the queue. Who
answered is told after the vote, never before.

Ratings are Bradley and Terry's with ties (bradley_terry.py), over every comparison in the project whose
answers say which model made them; of more than two answers, each pair is a vote.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from nextword.label.database import Database
from nextword.label.desk import Desk
from nextword.label.item import Item
from nextword.label.kinds import Json
from nextword.label.person import Person
from nextword.label.project import project_row
from nextword.label.quiz import must_be_qualified
from nextword.label.refusals import NoSuch
from nextword.label.schema import LabelRow, PersonRow, SlotRow, TaskRow
from nextword.label.sides import shown
from nextword.label.tasks import LATER, NewTask, add

if TYPE_CHECKING:
    from nextword.label.bradley_terry import Rating, Vote


@dataclass(frozen=True)
class Reveal:
    """After the vote: which model stood where, in the order that was shown."""

    models: tuple[str, ...]


class Arena:
    """Battles, votes and ratings."""

    def __init__(self, database: Database, desk: Desk) -> None:
        self.database, self.desk = database, desk

    def must_be_able(self, actor: Person, project: int) -> None:
        """NotQualified unless the person may label here; asked before models are set to work."""
        with self.database.read() as session:
            project_row(session, project)
            must_be_qualified(session, actor, project)

    def battle(
        self,
        actor: Person,
        project: int,
        prompt: Sequence[Json],
        answers: Mapping[str, str | Sequence[Json]],
        lang: str = "",
    ) -> Item:
        """A battle for this person: `answers` by model. BadInput when the models said the same."""
        sides = [{"messages": said, "by": model} for model, said in sorted(answers.items())]
        origin = {"for": actor.pseudonym}
        new = NewTask(
            "compare",
            list(prompt),
            {"answers": sides},
            about={"battle": actor.pseudonym},
            lang=lang,
            overlap=1,
            source="arena",
            origin=origin,
            priority=LATER,
        )
        with self.database.write(actor) as change:
            project_row(change.session, project, is_locked=True)
            task, is_new = add(change, project, new)
            if is_new:
                slot = change.session.scalars(select(SlotRow).where(SlotRow.task_id == task.id)).one()
                self.desk.give(change, actor, task, slot)
        return self.desk.open(actor, task.id)

    def vote(self, actor: Person, task: int, choice: int | str) -> Reveal:
        """Choose the better side (0 or 1 as shown, "tie" or "bad") and learn who they were."""
        with self.database.read() as session:
            row = session.get(TaskRow, task)
            if row is None or row.source != "arena":
                raise NoSuch(f"no battle {task}")
        self.desk.submit(actor, task, {"choice": choice})
        return self.reveal(actor, task)

    def reveal(self, actor: Person, task: int) -> Reveal:
        """Which model stood where, for who has voted; NoSuch for others."""
        wanted = (
            select(TaskRow, LabelRow)
            .join(LabelRow, LabelRow.task_id == TaskRow.id)
            .where(TaskRow.id == task, LabelRow.person_id == actor.id, LabelRow.state == "submitted")
        )
        with self.database.read() as session:
            found = session.execute(wanted).first()
            if found is None or found[0].kind != "compare":
                raise NoSuch(f"you have not voted on task {task}")
            row, label = found
            return Reveal(tuple(each["by"] for each in shown(row.material["answers"], label.order)))

    def votes(self, project: int, has_machines: bool = False) -> list[Vote]:
        """Every vote between models; those of machines only where asked for. Both bad counts as a tie."""
        from nextword.label.bradley_terry import Vote

        wanted = (
            select(TaskRow.material, LabelRow.answer)
            .join(LabelRow, LabelRow.task_id == TaskRow.id)
            .join(PersonRow, PersonRow.id == LabelRow.person_id)
            .where(TaskRow.project_id == project, TaskRow.kind == "compare", TaskRow.gold.is_(None))
            .where(LabelRow.state == "submitted", TaskRow.state != "retired")
            .order_by(LabelRow.id)
        )
        wanted = wanted if has_machines else wanted.where(~PersonRow.is_machine)
        votes = []
        with self.database.read() as session:
            for material, answer in session.execute(wanted):
                models = [each["by"] for each in material["answers"]]
                for one, other in itertools.combinations(range(len(models)), 2):
                    if models[one] and models[other] and models[one] != models[other]:
                        ranks = answer["ranks"]
                        better = 0.5 + 0.5 * ((ranks[one] < ranks[other]) - (ranks[one] > ranks[other]))
                        votes.append(Vote(models[one], models[other], 0.5 if answer["bad"] else better))
        return votes

    def ratings(
        self, actor: Person, project: int, rounds: int = 200, seed: int = 0, has_machines: bool = False
    ) -> list[Rating]:
        """The models' ratings with bootstrap intervals, best first; empty before the first vote."""
        from nextword.label.bradley_terry import ratings  # numpy, which nothing else here needs

        return ratings(self.votes(project, has_machines), rounds, seed)
