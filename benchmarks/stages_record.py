"""What three seeds of stages.py have found, put together: a table, and a line for each target.

Questions of all seeds are pooled, and intervals drawn by function: what is asked about one function, in both
languages and in every seed, is drawn together (evaluate/interval.py). Behind a figure stand the seeds' own.
F1 is that of the words with the nearest accepted answer; right is evaluate/answers.py's verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from report import figure, record

from nextword.evaluate.interval import Interval, change, interval, share
from nextword.evaluate.win_rate import WinRate, counted

ARMS = {
    "constant answer": "baselines:constant",
    "first sentence of the page": "baselines:first",
    "our search alone": "searching:alone",
    "base, few-shot, from memory": "base:memory",
    "base, few-shot, page shown": "base:page",
    "SFT, from memory": "finetuned:memory",
    "SFT, page shown": "finetuned:page",
    "SFT on shuffled answers, from memory": "shuffled:memory",
    "SFT on shuffled answers, page shown": "shuffled:page",
    "DPO, page shown": "dpo:page",
    "PPO, page shown": "ppo:page",
    "DPO, quoting the right page": "quoting:page",
    "DPO, quoting what our search finds": "searching:page",
}
SFT, BASE, SHUFFLED = "finetuned:page", "base:page", "shuffled:page"
SPLIT = ("SFT, page shown", "DPO, quoting the right page", "DPO, quoting what our search finds")


@dataclass(frozen=True)
class Part:
    """One seed's record, its texts taken apart."""

    found: dict[str, Any]

    @cached_property
    def questions(self) -> list[tuple[str, str, str, str]]:
        """(id, language, type, group) of each."""
        return [tuple(line.rsplit(" ", 3)) for line in self.found["questions"]]

    def right(self, arm: str) -> list[float]:
        return [float(mark) for mark in self.found["answers"][arm]["right"]]

    def f1(self, arm: str) -> list[float]:
        return [float(value) for value in self.found["answers"][arm]["f1"].split()]

    def letters(self, arm: str) -> list[int]:
        return [int(count) for count in self.found["answers"][arm]["letters"].split()]

    def result(self, step: str) -> dict[str, Any]:
        return self.found["steps"][step]["result"]


class Pool:
    """All seeds that there are."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.questions = [one for part in parts for one in part.questions]
        self.groups = [group for *_, group in self.questions]

    def values(self, measure: str, arm: str) -> list[float]:
        return [value for part in self.parts for value in getattr(part, measure)(arm)]

    def of(self, measure: str, arm: str, lang: str = "", type: str = "") -> Interval:
        """The mean over the questions of a language or a type."""
        rows = zip(self.values(measure, arm), self.questions, strict=True)
        taken = [
            (value, group)
            for value, (_, own_lang, own_type, group) in rows
            if lang in ("", own_lang) and type in ("", own_type)
        ]
        return share([value for value, _ in taken], [group for _, group in taken])

    def more(self, measure: str, arm: str, than: str) -> Interval:
        """How much more of it an arm has, question by question."""
        return change(self.values(measure, than), self.values(measure, arm), self.groups)

    def korean_less_english(self, arm: str) -> Interval:
        """The same question in both languages."""
        sides: dict[str, dict[str, tuple[float, str]]] = {}
        at = iter(self.values("right", arm))
        for number, part in enumerate(self.parts):
            for id, lang, _, group in part.questions:
                sides.setdefault(f"{number} {id.rpartition(':')[0]}", {})[lang] = (next(at), group)
        both = [pair for pair in sides.values() if len(pair) == 2]
        values = [pair["ko"][0] - pair["en"][0] for pair in both]
        return interval(values, [pair["en"][1] for pair in both])

    def won(self, arm: str) -> WinRate:
        """An aligned model against the finetuned one; the judge knows right and wrong."""
        pairs = zip(self.values("right", arm), self.values("right", SFT), strict=True)
        scores = [(one > other) + (one == other) / 2 for one, other in pairs]
        sizes = zip(self.values("letters", arm), self.values("letters", SFT), strict=True)
        return counted(scores, self.groups, [(int(one), int(other)) for one, other in sizes])


def report(found: Sequence[dict[str, Any]], missing: Sequence[int], tried: Path, is_kept: bool) -> None:
    """Print all lines; keep those of whole runs. tried: a file of what to say beside them, if it is there."""
    pool = Pool([Part(one) for one in found])
    lines = list(lines_of(pool)) if found else []
    if missing:
        lines.append(figure("missing seeds", ", ".join(map(str, missing)), "none", False))
    note = (
        "Raw parts are in benchmarks/records/stages/. Intervals are 95 % bootstrap ends, drawn by function."
    )
    if is_kept and found:
        record("stages", lines, note + (f"\n\n{tried.read_text().strip()}" if tried.exists() else ""))


def lines_of(pool: Pool) -> Iterator[str]:
    yield from said_first(pool)
    yield from table(pool)
    yield from taught(pool)
    yield from rewarded(pool)
    for arm in ("dpo", "ppo"):
        yield from aligned(pool, arm)
    yield from cost(pool)


def said_first(pool: Pool) -> Iterator[str]:
    plan = ", ".join(f"{name} {value:g}" for name, value in pool.parts[0].found["plan"].items())
    yield figure("plan", plan)
    counts = ", ".join(f"{len(part.questions):,}" for part in pool.parts)
    yield figure("held-out questions of each seed", counts)
    steps = [step for part in pool.parts for step in part.found["steps"].values()]
    yield figure("commits", ", ".join(sorted({step["commit"] for step in steps})))


def table(pool: Pool) -> Iterator[str]:
    """Every arm's F1 and share of right answers; some of them by language and type."""
    for name, arm in ARMS.items():
        f1, right = pool.of("f1", arm), pool.of("right", arm)
        own = ", ".join(f"{mean(part.f1(arm)):.3f}" for part in pool.parts)
        failed = sum(part.found["answers"][arm]["failed"] for part in pool.parts)
        told = f"; {failed} could not be asked" if failed else ""
        yield figure(name, f"F1 {ends(f1)}, seeds {own}; right {right}{told}")
    for name in SPLIT:
        for lang in ("en", "ko"):
            yield figure(f"{name}, {lang}, right", str(pool.of("right", ARMS[name], lang)))
        for type in sorted({type for _, _, type, _ in pool.questions}):
            yield figure(f"{name}, {type}, right", str(pool.of("right", ARMS[name], type=type)))


def taught(pool: Pool) -> Iterator[str]:
    """Finetuning, quoting, and both languages."""
    grown = pool.more("f1", SFT, BASE)
    yield figure("SFT over the few-shot base, page shown, F1", ends(grown), ">= 0.10", grown.mean >= 0.10)
    above = pool.more("f1", SFT, SHUFFLED)
    yield figure("SFT over SFT on shuffled answers, F1", ends(above), "above 0, interval too", above.low > 0)
    memory = pool.more("f1", "finetuned:memory", "base:memory")
    yield figure("SFT over the few-shot base, from memory, F1", ends(memory))
    for name, arm, target in (
        ("quoting the right page", "quoting:page", 0.80),
        ("quoting what our search finds", "searching:page", 0.65),
    ):
        found = pool.of("right", arm)
        own = ", ".join(f"{mean(part.right(arm)):.1%}" for part in pool.parts)
        yield figure(f"{name}, right", f"{found}; seeds {own}", f">= {target:.0%}", found.mean >= target)
    for name in SPLIT:
        less = pool.korean_less_english(ARMS[name])
        is_near = abs(less.mean) <= 0.10
        yield figure(f"{name}, Korean less English, points", points(less), "10 at most", is_near)


def rewarded(pool: Pool) -> Iterator[str]:
    """The reward model on pairs it has not seen."""
    for name, target in (("held-out functions", 0.75), ("held-out prompts", None), ("hh_rlhf_en", None)):
        pairs = [part.result("rewarded")[name] for part in pool.parts]
        right = [float(mark) for one in pairs for mark in one["right"].split()]
        if not right:
            yield figure(f"reward model, {name}", "no pairs")
            continue
        found = share(right, [group for one in pairs for group in one["groups"].split()])
        is_met = None if target is None else found.mean >= target
        yield figure(f"reward model, {name}, right", str(found), f">= {target:.0%}" if target else "", is_met)


def aligned(pool: Pool, arm: str) -> Iterator[str]:
    """Wins against the finetuned model, how far from it, and what that cost."""
    name = arm.upper()
    won = pool.won(f"{arm}:page")
    counts = f"won {won.wins}, lost {won.losses}, tied {won.ties}; {won.longer:+.0f} letters"
    yield figure(f"{name} against SFT, decided pairs", f"{decided(won.decided)}; {counts}")
    matched = won.matched_decided
    is_met = matched.count > 0 and matched.mean >= 0.60
    yield figure(f"{name} against SFT, decided pairs, length-matched", decided(matched), ">= 60%", is_met)
    yield figure(f"{name} against SFT, ties half", f"{won.rate}; length-matched {won.matched}")
    nats = [part.result("kl")[arm] for part in pool.parts]
    each = ", ".join(
        f"{one['answer']:.2f} ({one['token']:.3f} a token, {one['length']:.0f} tokens)" for one in nats
    )
    yield figure(f"{name}, KL to SFT, nats an answer", each)
    if arm == "ppo":
        results = [part.result("ppo") for part in pool.parts]
        yield figure(
            "PPO, reward", ", ".join(f"{one['reward_before']:.2f} to {one['reward']:.2f}" for one in results)
        )
        for stopped in filter(None, (one["stopped"] for one in results)):
            yield figure("PPO stopped early", stopped)
    yield worse(pool, arm, "finetuned", 5.0)


def worse(pool: Pool, arm: str, than: str, limit: float | None) -> str:
    """Bits per byte of held-out text, the worst seed."""
    bits = [part.result("bits") for part in pool.parts]
    percent = [100 * (one[arm] / one[than] - 1) for one in bits]
    shown = ", ".join(
        f"{value:+.1f} ({one[than]:.3f} to {one[arm]:.3f})" for value, one in zip(percent, bits, strict=True)
    )
    names = {"finetuned": "SFT"}
    name = f"{names.get(arm, arm.upper())}, bits per byte over {names.get(than, than)}'s, %"
    is_met = None if limit is None else max(percent) <= limit
    return figure(name, shown, f"<= {limit:g}" if limit else "", is_met)


def cost(pool: Pool) -> Iterator[str]:
    yield worse(pool, "finetuned", "base", None)
    for part in pool.parts:
        steps = part.found["steps"]
        wall, cpu = part.found["walked"] / 60, sum(step["cpu"] for step in steps.values()) / 60
        cores = part.found["cores"]
        name = f"seed {part.found['seed']}, minutes on {'two' if cores == 2 else cores} cores"
        yield figure(name, f"{wall:.1f} ({cpu:.1f} of processor time)", "<= 20", wall <= 20)
        yield figure(
            "  of them", ", ".join(f"{name} {step['wall'] / 60:.1f}" for name, step in steps.items())
        )
        if lost := [name for name, step in steps.items() if step["lost"]]:
            yield figure("  killed once, with a time that is not in the sum", ", ".join(lost))


def mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / max(1, len(numbers))


def ends(found: Interval) -> str:
    return f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"


def points(found: Interval) -> str:
    mean, low, high = (f"{100 * value:+.1f}" for value in (found.mean, found.low, found.high))
    return f"{mean} ({low} to {high})"


def decided(found: Interval) -> str:
    return str(found) if found.count else "no pair was decided"
