"""Win rate: how often one model's answer beats another's, to the same questions, by a judge.

A judge is any function of a conversation and two answers: 1.0 the first is better, 0.0 the second, 0.5
neither. `by_score` makes one of anything that scores a single answer: given a documentation task's `reward`
it is a judge that checks facts, and given its `graded` it also prefers, of two wrong answers, the one nearer
to the truth. A judge that may look at the sides (a model, a person) is asked both ways round (`both_ways`).

Judges like long answers, and training against a judge makes answers long, so beside the plain rate stands a
length-matched one: of pairs whose longer answer is at most a quarter longer than the other, or eight letters.
It needs no model of what length does (Dubois et al. 2024 fit one), and says how many pairs were left.

Half a win for a tie: two equal models get 50 %, and a model that changes few answers stays near it, however
good those few are. So wins, ties and losses are told too, and the share of wins among the pairs that the
judge could decide: half of those are what a model gets whose changes are neither good nor bad.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from nextword.common.errors import BadInput
from nextword.common.records import Conversation
from nextword.evaluate.exam import Marked
from nextword.evaluate.interval import Interval, share
from nextword.evaluate.task import answered

MATCHED, SLACK = 1.25, 8
"""Of a length-matched pair the longer answer has at most so many times the letters, or so many more."""

Judge = Callable[[Conversation, str, str], float]
"""1.0 where the first answer to the conversation is better, 0.0 where the second is, 0.5 for neither."""


@dataclass(frozen=True)
class WinRate:
    """How often ours wins, ties counted half; over all pairs, and over those of like length.

    decided, matched_decided: the same without the ties. longer: mean letters of our answers less theirs.
    """

    rate: Interval
    matched: Interval
    decided: Interval
    matched_decided: Interval
    wins: int
    ties: int
    losses: int
    longer: float


def win_rate(ours: Sequence[Marked], theirs: Sequence[Marked], judge: Judge) -> WinRate:
    """Our answers against theirs, to the same questions in the same order.

    A question that could not be put to one side counts as lost by it. BadInput for other questions.
    """
    if [one.id for one in ours] != [one.id for one in theirs]:
        raise BadInput("the two models have answered different questions", do="ask both the same ones")
    scores = [_judged(one, other, judge) for one, other in zip(ours, theirs, strict=True)]
    groups = [one.group for one in ours]
    sizes = [(len(one.reply.text), len(other.reply.text)) for one, other in zip(ours, theirs, strict=True)]
    return counted(scores, groups, sizes)


def counted(scores: Sequence[float], groups: Sequence[Hashable], sizes: Sequence[tuple[int, int]]) -> WinRate:
    """The win rate of pairs that were judged: their scores, their groups, the letters of both answers."""
    like = [at for at, pair in enumerate(sizes) if max(pair) <= max(MATCHED * min(pair), min(pair) + SLACK)]
    decided = [at for at, score in enumerate(scores) if score != 0.5]

    def of(places: Iterable[int]) -> Interval:
        taken = list(places)
        return share([scores[at] for at in taken], [groups[at] for at in taken])

    return WinRate(
        of(range(len(scores))),
        of(like),
        of(decided),
        of(sorted({*like} & {*decided})),
        sum(score > 0.5 for score in scores),
        sum(score == 0.5 for score in scores),
        sum(score < 0.5 for score in scores),
        sum(one - other for one, other in sizes) / max(1, len(sizes)),
    )


def by_score(score: Callable[[Conversation], float], close: float = 0.0) -> Judge:
    """A judge who scores each answer by itself; scores no further apart than `close` are a tie."""

    def judge(conversation: Conversation, one: str, other: str) -> float:
        difference = score(answered(conversation, one)) - score(answered(conversation, other))
        return 0.5 if abs(difference) <= close else float(difference > 0)

    return judge


def both_ways(judge: Judge) -> Judge:
    """A judge who sees each pair twice, the sides swapped: preferring a side then cancels out."""

    def asked_twice(conversation: Conversation, one: str, other: str) -> float:
        return (judge(conversation, one, other) + 1.0 - judge(conversation, other, one)) / 2

    return asked_twice


def _judged(one: Marked, other: Marked, judge: Judge) -> float:
    failed, other_failed = one.reply.end == "failed", other.reply.end == "failed"
    if failed or other_failed:
        return 0.5 if failed and other_failed else float(other_failed)
    return judge(one.conversation, one.reply.text, other.reply.text)
