"""A labeller made of a rule: it stands in for people in the demo and in tests, and says so on every record.

The rule scores an answer to a prompt between 0 (wrong) and 1 (right); that alone is enough to compare, rate
and review. To write and to correct it needs a second function that knows an answer. It works at the desk as
a person does (same queues, slots, swapped sides), under an account that is marked as a machine and whose name
begins with "rule:"; exports carry that name, and figures about people leave it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from nextword.label.desk import Desk
from nextword.label.item import Item
from nextword.label.kinds import Json
from nextword.label.people import People
from nextword.label.person import Person

Score = Callable[[list[Json], list[Json]], float]
"""How good an answer (messages) to a prompt (messages) is, 0 to 1."""
Write = Callable[[list[Json], Json], str | None]
"""An answer to a prompt, given what is shown about it; None where the rule knows none."""


class RuleLabeller:
    """A rule with an account of its own."""

    def __init__(
        self,
        people: People,
        desk: Desk,
        owner: Person,
        name: str,
        score: Score,
        write: Write | None = None,
        good: float = 0.5,
        close: float = 0.0,
        only_best: bool = False,
    ) -> None:
        """name: what the rule is. good: the least score of an answer that may stand. close: the largest
        difference that is still a tie. only_best: says which answers are best, and of the others nothing."""
        self.person = people.machine(owner, f"rule:{name}")
        self.desk, self.score, self.write, self.good, self.close = desk, score, write, good, close
        self.only_best = only_best

    def work(self, project: int, kinds: Sequence[str] | None = None, most: int | None = None) -> int:
        """Label until the queue is empty, or `most` tasks; returns how many were submitted.

        What the rule does not know it discards, which leaves the task to others.
        """
        done = 0
        while most is None or done < most:
            item = self.desk.next(self.person, project, kinds)
            if item is None:
                break
            answer = self.answer(item)
            if answer is None:
                self.desk.discard(self.person, item.task, "the rule knows no answer")
                continue
            self.desk.submit(self.person, item.task, answer)
            done += 1
        return done

    def answer(self, item: Item) -> Json | None:
        """What the rule says of one task; None when it does not know."""
        answers: dict[str, Callable[[Item], Json | None]] = {
            "write": self._written,
            "correct": self._corrected,
            "compare": self._compared,
            "rate": self._rated,
        }
        return answers[item.kind](item)

    def _written(self, item: Item) -> Json | None:
        text = self.write(item.prompt, item.about) if self.write else None
        return {"text": text} if text else None

    def _corrected(self, item: Item) -> Json | None:
        if self.score(item.prompt, item.material["draft"]) >= self.good:
            return {"messages": item.material["draft"]}
        return self._written(item)

    def _compared(self, item: Item) -> Json:
        scores = [self.score(item.prompt, each["messages"]) for each in item.material["answers"]]
        ranks: list[int] = [1] * len(scores)
        order = sorted(range(len(scores)), key=lambda at: -scores[at])
        for better, worse in pairwise(order):
            ranks[worse] = ranks[better] + (scores[better] - scores[worse] > self.close)
        if self.only_best:
            ranks = [min(rank, 2) for rank in ranks]
        return {"ranks": ranks, "bad": max(scores) < self.good}

    def _rated(self, item: Item) -> Json:
        material: Any = item.material
        score = self.score(item.prompt, material["answer"]["messages"])
        rating = round(material["low"] + score * (material["high"] - material["low"]))
        return {"ratings": dict.fromkeys(material["criteria"], rating)}
