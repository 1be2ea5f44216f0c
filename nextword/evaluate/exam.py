"""An exam: a model's answers to a task, each with its reward, and how sure the mean is.

Answers are greedy, so that the same model gives the same exam. Intervals are bootstrap percentiles (Efron
1979) over questions; where several questions hang together (both languages of one function), they are drawn
together, since resampling them one by one would make the interval too narrow.
"""

from __future__ import annotations

import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nextword.common.language_model import Failed, LanguageModel, Request, Sampling, Token
from nextword.common.progress import Progress
from nextword.common.records import Conversation
from nextword.evaluate.task import Task, answered

RESAMPLES = 1000
AT_ONCE = 64
"""Requests handed to the model together."""


@dataclass(frozen=True)
class Marked:
    """One answer and its reward."""

    conversation: Conversation
    answer: str
    reward: float


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        """As a person reads it, in percent."""
        return f"{self.mean:.1%} ({self.low:.1%} to {self.high:.1%}, n = {self.count:,})"


def answers(
    model: LanguageModel,
    conversations: Sequence[Conversation],
    sampling: Sampling | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """The model's answer to each conversation, in their order; "" where it could not be served."""
    sampling = sampling or Sampling(temperature=0.0, max_new_tokens=96)
    found: list[str] = []
    for start in range(0, len(conversations), AT_ONCE):
        requests = [Request(one, sampling) for one in conversations[start : start + AT_ONCE]]
        pieces: dict[str, list[str]] = defaultdict(list)
        for event in model.generate(requests):
            if isinstance(event, Token):
                pieces[event.request].append(event.text)
            elif not isinstance(event, Failed) and progress:
                progress.advance()
        found += ["".join(pieces[request.id]).strip() for request in requests]
    return found


def marked(task: Task, given: Sequence[str]) -> list[Marked]:
    """Answers to a task's conversations, in their order, with their rewards."""
    pairs = zip(task.conversations, given, strict=True)
    return [Marked(one, answer, task.reward(answered(one, answer))) for one, answer in pairs]


def interval(
    values: Sequence[float], groups: Sequence[str] | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Mean of the values with its 95 % interval; values of one group are drawn together."""
    if not values:
        return Interval(0.0, 0.0, 0.0, 0)
    together: dict[str, list[float]] = defaultdict(list)
    for number, value in enumerate(values):
        together[groups[number] if groups else str(number)].append(value)
    sums = [(sum(members), len(members)) for members in together.values()]
    coin = random.Random(seed)
    means = []
    for _ in range(resamples):
        drawn = coin.choices(sums, k=len(sums))
        means.append(sum(total for total, _ in drawn) / sum(count for _, count in drawn))
    means.sort()
    low, high = (means[round(share * (len(means) - 1))] for share in (0.025, 0.975))
    return Interval(statistics.fmean(values), low, high, len(values))


def by(results: Sequence[Marked], key: Callable[[Conversation], str]) -> dict[str, Interval]:
    """Mean rewards by what `key` says of a conversation, in order of the key."""
    split: dict[str, list[float]] = defaultdict(list)
    for one in results:
        split[key(one.conversation)].append(one.reward)
    return {name: interval(values) for name, values in sorted(split.items())}
