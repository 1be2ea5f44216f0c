"""What can be chosen of a local task: how much of it, and with how many examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from nextword.common.settings import check_ranges, option
from nextword.evaluate.task import subset

Item = TypeVar("Item")


@dataclass(frozen=True)
class LocalSettings:
    """How a local task is sat."""

    most: int = option(200, "questions of a task, at most; the same ones every time; 0 takes all", least=0)
    shots: int = option(3, "worked examples before a question, as far as they fit", least=0, most=32)
    reasoning: bool = option(False, "BBH: show examples that think before they answer")
    seed: int = option(0, "another seed picks other questions")

    def __post_init__(self) -> None:
        check_ranges(self)

    def taken(self, items: Sequence[Item], id: Callable[[Item], str]) -> list[Item]:
        """The questions that are asked."""
        return [items[at] for at in subset([id(item) for item in items], self.most, self.seed)]
