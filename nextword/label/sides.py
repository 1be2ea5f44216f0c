"""Which answer stands where: swapped by chance that nobody chose, hidden from who labels, and recorded.

People prefer what comes first. So the order in which a task's answers are shown is drawn from its key (never
from who made the answers), the next person to label the same task sees it rotated, and the order is kept with
the label. Over two people and two answers, or n and n, each answer has stood in each place equally often.

An order lists stored positions as they are shown: [1, 0] shows the second answer first.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from nextword.label.text import fraction

T = TypeVar("T")


def order_for(key: str, slot: int, count: int) -> list[int]:
    """The order in which the person in this slot sees `count` answers."""
    order = list(range(count))
    random.Random(fraction("sides", key)).shuffle(order)
    turn = slot % count if count else 0
    return order[turn:] + order[:turn]


def shown(stored: Sequence[T], order: Sequence[int]) -> list[T]:
    """What is stored, in the order in which it is shown."""
    return [stored[position] for position in order]


def unswapped(shown: Sequence[T], order: Sequence[int]) -> list[T]:
    """What was said of the answers as shown, in the order in which they are stored."""
    return [said for _, said in sorted(zip(order, shown, strict=True), key=lambda pair: pair[0])]
