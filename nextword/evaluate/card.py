"""The report card as data: every stage side by side.

One line for each number, with a cell and an interval for each stage; questions split by language and by
type; each stage against the one before it; answers to read, right and wrong, with a link to the page; and
what could not be asked. `examination.py` fills it in, `card_page.py` shows it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from nextword.evaluate.exam import Marked
from nextword.evaluate.interval import Interval
from nextword.evaluate.win_rate import WinRate

Kind = Literal["questions", "open_book", "refusals", "choices", "exercises"]


@dataclass(frozen=True)
class Line:
    """One number for every stage that has it; `key` names its meaning in card_words.py."""

    task: str
    key: str
    cells: dict[str, Interval]


@dataclass(frozen=True)
class Split:
    """The share of right answers of a task by language or type: value, then stage."""

    task: str
    by: str
    cells: dict[str, dict[str, Interval]]


@dataclass(frozen=True)
class Duel:
    """A stage against the one before it, on the same questions; `change` is of the share of right answers."""

    task: str
    stage: str
    before: str
    change: Interval
    win: WinRate


@dataclass(frozen=True)
class Said:
    """One stage's answer in a sample."""

    stage: str
    text: str
    is_right: bool
    end: str
    error: str
    url: str


@dataclass(frozen=True)
class Sample:
    """A question with the answers of all stages."""

    task: str
    lang: str
    type: str
    question: str
    gold: str
    url: str
    said: list[Said]


@dataclass(frozen=True)
class Unasked:
    """Questions that could not be put to a stage, which count as wrong."""

    stage: str
    task: str
    reason: str
    count: int


@dataclass(frozen=True)
class Card:
    """All that a report card says."""

    title: str
    made: str
    stages: list[str]
    kinds: dict[str, Kind]
    lines: list[Line]
    splits: list[Split]
    duels: list[Duel]
    samples: list[Sample]
    unasked: list[Unasked]
    notes: list[str] = field(default_factory=list)
    answers: list[Marked] = field(default_factory=list)

    @property
    def record(self) -> dict[str, Any]:
        """The card as JSON, without the single answers."""
        found = asdict(replace(self, answers=[]))
        del found["answers"]
        return found
