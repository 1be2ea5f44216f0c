"""The gate: may this model take the other's place? Refused with the task, before, after and how sure that is.

Both have answered the same questions, so they are compared one by one (the paired bootstrap of interval.py,
drawn by functions). A model is refused

    for a task      worse by at least `tolerate`, and surely (the whole 95 % interval below zero); or worse by
                    at least `doubt`, sure or not: with few questions nothing is sure, harm not ruled out
    for a part      (a type, a language, what should be refused and what not) surely worse by PART or more:
                    wrong answers of one kind drown in a mean over all kinds
    for a canary    that was right and is not: these were written down because they must not be lost
    for documents   where it needs more than `forget` percent more bits for the held-out ones
    for its purpose when fewer than `mend` of the corrected answers are right, or no more than before

Several tasks are looked at, each with its 2.5 %: the gate refuses a good model now and then, and says why, so
that a person can look. That is the cheaper mistake. What it cannot see is what no task asks about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from nextword.evaluate.exam import Marked, mean
from nextword.evaluate.interval import Interval, change

PART, LEAST_PART = 0.05, 20
"""A part's drop that is refused when it is sure, and the questions it must have to be looked at."""
PARTS = ("type", "lang", "kind")
"""What the questions' meta splits a task by."""


@dataclass(frozen=True)
class Limits:
    """What is let pass. Shares, but for `forget`, which is percent."""

    tolerate: float = 0.02
    doubt: float = 0.10
    mend: float = 0.25
    forget: float = 3.0


@dataclass(frozen=True)
class Finding:
    """A task, or a part of it, before and after; `refused` is the reason, "" where it passes."""

    task: str
    before: Interval
    after: Interval
    change: Interval
    refused: str = ""

    def __str__(self) -> str:
        """What a person reads of it."""
        share = f"{self.before.mean:.1%} before, {self.after.mean:.1%} after"
        drawn = f"{self.change.mean:+.1%} ({self.change.low:+.1%} to {self.change.high:+.1%})"
        return f"{self.task}: {share}, {drawn}, n = {self.change.count:,}"


@dataclass(frozen=True)
class Decision:
    """What the gate says. bits: per byte of held-out documents, before and after, where measured."""

    is_promoted: bool
    reasons: list[str]
    findings: list[Finding]
    bits: tuple[float, float] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def record(self) -> dict[str, Any]:
        """The decision as JSON."""
        return asdict(self)

    @staticmethod
    def of(record: Mapping[str, Any]) -> Decision:
        """A decision from its JSON."""
        findings = [_finding(each) for each in record["findings"]]
        bits = (record["bits"][0], record["bits"][1]) if record["bits"] else None
        return Decision(record["is_promoted"], record["reasons"], findings, bits, record["notes"])


Answers = Sequence[Marked]
Sat = tuple[Answers, Answers]
"""One task's marked answers, before and after, to the same questions in the same order."""


def decide(
    corrected: Sat,
    tasks: Mapping[str, Sat],
    canaries: Sat,
    bits: tuple[float, float] | None,
    limits: Limits,
    told: Mapping[str, Sat] | None = None,
    notes: Sequence[str] = (),
) -> Decision:
    """Look at everything, and refuse for any reason there is; all reasons are told, not only the first.

    told: tasks that are told and decide nothing.
    """
    findings = [_mended(*corrected, limits)]
    findings += [compared(name, *answers) for name, answers in (told or {}).items()]
    for name, (before, after) in tasks.items():
        findings.append(_task(name, before, after, limits))
        findings += _parts(name, before, after)
    if canaries[0]:
        findings.append(_canaries(*canaries))
    reasons = [f"{one.refused}: {one}" for one in findings if one.refused]
    if bits and (grown := 100 * (bits[1] / bits[0] - 1)) > limits.forget:
        reasons.append(
            f"forgets: held-out documents take {grown:.1f} % more bits "
            f"({bits[0]:.3f} before, {bits[1]:.3f} after; {limits.forget:g} % is let pass)"
        )
    return Decision(not reasons, reasons, findings, bits, list(notes))


def compared(name: str, before: Answers, after: Answers) -> Finding:
    """The two means and their paired change."""
    assert [one.id for one in before] == [one.id for one in after], "both answer the same questions"
    grown = change(
        [one.reward for one in before], [one.reward for one in after], [one.group for one in before]
    )
    return Finding(name, mean(before), mean(after), grown)


def _finding(record: Mapping[str, Any]) -> Finding:
    before, after, grown = (Interval(**record[name]) for name in ("before", "after", "change"))
    return Finding(record["task"], before, after, grown, record["refused"])


def _task(name: str, before: Answers, after: Answers, limits: Limits) -> Finding:
    found = compared(name, before, after)
    drop = -found.change.mean
    if drop >= limits.tolerate and found.change.high < 0:
        return _refused(found, "worse")
    if drop > 0 and drop >= limits.doubt:
        return _refused(found, "perhaps worse, by too much to let it pass")
    return found


def _parts(name: str, before: Answers, after: Answers) -> list[Finding]:
    """Only the parts that are surely worse: the rest is on the report card."""
    found = []
    for key in PARTS:
        places: dict[str, list[int]] = defaultdict(list)
        for at, one in enumerate(before):
            places[one.of(key)].append(at)
        for value, those in sorted(places.items()):
            if not value or len(those) < LEAST_PART or len(those) == len(before):
                continue
            part = compared(f"{name}, {value}", [before[at] for at in those], [after[at] for at in those])
            if part.change.high < 0 and -part.change.mean >= PART:
                found.append(_refused(part, "worse"))
    return found


def _canaries(before: Answers, after: Answers) -> Finding:
    found = compared("canaries", before, after)
    lost = [one.id for one, now in zip(before, after, strict=True) if one.reward == 1.0 and now.reward < 1.0]
    shown = ", ".join(lost[:5]) + (", ..." if len(lost) > 5 else "")
    return _refused(found, f"{len(lost)} lost ({shown})") if lost else found


def _mended(before: Answers, after: Answers, limits: Limits) -> Finding:
    found = compared("corrected answers", before, after)
    if found.after.mean < limits.mend:
        return _refused(found, f"fewer than {limits.mend:.0%} of the corrections were learnt")
    if found.change.mean <= 0:
        return _refused(found, "nothing is better for it")
    return found


def _refused(found: Finding, why: str) -> Finding:
    return Finding(found.task, found.before, found.after, found.change, why)
