"""Did finetuning help? The model with pages at hand against retrieval alone, on the same held-out questions.

A finetuned model that quotes from pages looks good by itself: search has found the page, and a verbatim
sentence of it is often right. What the training has added shows only beside search without any model. So the
two sit the same paper, and one line says which of three is the case:

    helped          the whole 95 % interval of the difference is above zero
    did not help    the difference is zero or less
    not shown       it is above zero, but so few questions could give it by chance (or there are under LEAST)

The line stands in the card and is printed, above all where nobody would like to read it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from nextword.evaluate.card import Card
from nextword.evaluate.interval import Interval

RETRIEVAL, WITH_PAGES = "retrieval alone", "with pages"
"""What the two stages are called."""
LEAST = 10
"""Questions below which nothing is said to be shown."""

Outcome = Literal["helped", "did not help", "not shown"]


@dataclass(frozen=True)
class Helped:
    """The shares of right answers by retrieval alone and by the model with pages, and the difference."""

    alone: Interval
    model: Interval
    change: Interval

    @property
    def outcome(self) -> Outcome:
        """Which of the three it is."""
        if self.change.mean <= 0:
            return "did not help"
        return "helped" if self.change.low > 0 and self.change.count >= LEAST else "not shown"

    @property
    def en(self) -> str:
        """The line in English."""
        says = {
            "helped": "finetuning helped",
            "did not help": "finetuning did not help",
            "not shown": "finetuning is not shown to have helped; ask more questions",
        }[self.outcome]
        return (
            f"{says}: {self.model.mean:.1%} right with pages, {self.alone.mean:.1%} by retrieval alone "
            f"({self._points}, 95 % interval {self._ends(' to ')}, {self.change.count:,} questions)"
        )

    @property
    def ko(self) -> str:
        """The same in Korean."""
        says = {
            "helped": "미세 조정이 도움이 되었습니다",
            "did not help": "미세 조정이 도움이 되지 않았습니다",
            "not shown": "미세 조정이 도움이 되었다고 볼 근거가 모자랍니다. 질문이 더 필요합니다",
        }[self.outcome]
        return (
            f"{says}: 쪽이 있을 때 {self.model.mean:.1%}, 검색만으로 {self.alone.mean:.1%} 맞음 "
            f"({100 * self.change.mean:+.1f}점, 95 % 구간 {self._ends(' ~ ')}, 질문 {self.change.count:,}개)"
        )

    @property
    def record(self) -> dict[str, Any]:
        """As JSON, the line included."""
        return {"outcome": self.outcome, "en": self.en, "ko": self.ko, **asdict(self)}

    @property
    def _points(self) -> str:
        return f"{100 * self.change.mean:+.1f} points"

    def _ends(self, between: str) -> str:
        return f"{100 * self.change.low:+.1f}{between}{100 * self.change.high:+.1f}"


def helped(card: Card) -> Helped | None:
    """What the card says of it; None where the two stages did not both sit a paper of questions."""
    duel = next((one for one in card.duels if (one.before, one.stage) == (RETRIEVAL, WITH_PAGES)), None)
    if duel is None or not duel.change.count:
        return None
    cells = next(line.cells for line in card.lines if line.task == duel.task and line.key == "right")
    return Helped(cells[RETRIEVAL], cells[WITH_PAGES], duel.change)


def told(card: Card) -> Card:
    """The card with the line as its first note, where there is something to say."""
    found = helped(card)
    return replace(card, notes=[f"{found.en} · {found.ko}", *card.notes]) if found else card
