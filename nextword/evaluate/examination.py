"""An examination: every stage sits every task, and the report card is filled in.

    card = examine(stages, tasks, EvaluateSettings(), title="python-docs", made="2026-11-23")
    write_card(Path("card.html"), card)      # and card.json, card.answers.jsonl beside it

Stages are compared on the same questions, one by one. Which answers are shown is decided by a hash of the
question and by whether the last stage was right, so nobody has picked them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nextword.common.progress import Progress
from nextword.common.records import digest
from nextword.common.settings import check_ranges, option
from nextword.data.pydoc_site import ORIGIN
from nextword.evaluate.card import Card, Duel, Kind, Line, Said, Sample, Split, Unasked
from nextword.evaluate.choice import Choices
from nextword.evaluate.exam import Marked, by, failures, mean
from nextword.evaluate.form import form
from nextword.evaluate.interval import Interval, change
from nextword.evaluate.refusal import Refusals
from nextword.evaluate.stages import Paper, Stage, for_lookup, sit
from nextword.evaluate.task import Questions, Task, asked
from nextword.evaluate.win_rate import by_score, win_rate
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenizer import Tokenizer

CLOSE = 0.1
"""A difference between wrong answers' grades that a duel calls a tie: a fifth of F1."""
ENOUGH = 5
"""Questions that a part of a split must have, at the mean, to be worth a row."""


@dataclass(frozen=True)
class EvaluateSettings:
    """How an evaluation is done."""

    most: int = option(400, "questions of a task, at most; the same ones every time; 0 takes all", least=0)
    shots: int = option(3, "worked examples for models that need them, as far as they fit", least=0, most=32)
    samples: int = option(8, "answers to read, of the documentation questions", least=0, most=200)
    max_tokens: int = option(200_000, "held-out tokens for bits per byte; 0 takes all", least=0)

    def __post_init__(self) -> None:
        check_ranges(self)


def examine(
    stages: Sequence[Stage],
    tasks: Sequence[Task | Choices],
    settings: EvaluateSettings,
    *,
    title: str,
    made: str,
    tokens: Path | None = None,
    device: str = "cpu",
    notes: Sequence[str] = (),
    progress: Progress | None = None,
) -> Card:
    """Every stage sits every task; `tokens` (RUN/tokens) also measures each model folder's bits per byte."""
    if tokens is not None:
        _check_tokens(stages, tokens)
    sittings, bits = {}, {}
    for number, stage in enumerate(stages, 1):
        if progress:
            progress.set(progress.done, f"{stage.name}, {number} of {len(stages)}", _questions(stages, tasks))
        sittings[stage.name] = sit(stage, tasks, settings.shots, progress)
        if tokens is not None and stage.folder is not None:
            bits[stage.name] = _bits(stage.folder, tokens, settings.max_tokens, device)
    told = [*notes, *_notes(stages, tasks, settings.shots)]
    return card_of(sittings, tasks, bits, settings.samples, title=title, made=made, notes=told)


def card_of(
    sittings: dict[str, list[Paper]],
    tasks: Sequence[Task | Choices],
    bits: dict[str, float],
    samples: int = 8,
    *,
    title: str,
    made: str,
    notes: Sequence[str] = (),
) -> Card:
    """The card of what the stages have answered; bits: per byte, by stage."""
    results = {
        task.name: {
            stage: paper.results
            for stage, papers in sittings.items()
            for paper in papers
            if paper.task == task.name
        }
        for task in tasks
    }
    lines = [line for task in tasks for line in _lines(task, results[task.name])]
    questions = [task for task in tasks if isinstance(task, Questions)]
    return Card(
        title,
        made,
        list(sittings),
        {task.name: kind_of(task) for task in tasks},
        [*lines, *_bits_lines(bits)],
        [split for task in tasks for split in _splits(task.name, results[task.name])],
        [duel for task in questions for duel in _duels(task, results[task.name])],
        [sample for task in questions for sample in _samples(task.name, results[task.name], samples)],
        [each for task in tasks for each in _unasked(task.name, results[task.name])],
        list(notes),
        [each for task in tasks for each in _labelled(task.name, results[task.name])],
    )


def kind_of(task: Task | Choices) -> Kind:
    """What sort of task it is, for the words around its numbers."""
    if isinstance(task, Questions):
        return "open_book" if task.pages else "questions"
    return (
        "refusals" if isinstance(task, Refusals) else "choices" if isinstance(task, Choices) else "exercises"
    )


def _questions(stages: Sequence[Stage], tasks: Sequence[Task | Choices]) -> int:
    """How many answers there will be."""
    sizes = [(task, len(task.choices if isinstance(task, Choices) else task.conversations)) for task in tasks]
    return sum(size for stage in stages for task, size in sizes if not stage.lookup or for_lookup(task))


def _notes(stages: Sequence[Stage], tasks: Sequence[Task | Choices], shots: int) -> Iterable[str]:
    """What a reader of the figures must know of how they came about."""
    if bases := ", ".join(stage.name for stage in stages if stage.is_base):
        yield (
            f"{bases}: asked in plain text after {shots} worked examples, as far as they fit. · "
            f"보기 {shots}개를 (들어가는 만큼) 보여 준 뒤 글로 물었습니다."
        )
    pages = (one.url for task in tasks if isinstance(task, Questions) for one in task.questions)
    if any(url.startswith(ORIGIN) for url in pages):
        yield (
            f"Links that begin with {ORIGIN} lead to the documentation of the Python that was crawled; "
            f"elsewhere `python -m pydoc NAME` shows it. · {ORIGIN}으로 시작하는 주소는 수집한 파이썬의 "
            "문서이며, 다른 컴퓨터에서는 `python -m pydoc 이름`으로 볼 수 있습니다."
        )


def _check_tokens(stages: Sequence[Stage], tokens: Path) -> None:
    """BadInput now for shards that a model of these stages cannot be measured on, and not when it has sat."""
    for stage in stages:
        if stage.folder is not None:
            Shards.open(tokens, "heldout", fingerprint=Tokenizer.load(stage.folder).fingerprint)


def _bits(folder: Path, tokens: Path, most: int, device: str) -> float:
    from nextword.evaluate.forgetting import held_out_bits  # torch, only where it is asked for

    return held_out_bits(folder, tokens, most or None, "cpu" if device == "auto" else device).value


def _lines(task: Task | Choices, results: dict[str, list[Marked]]) -> Iterable[Line]:
    kind = kind_of(task)
    if kind == "refusals":
        for key, of, measure in (("refused", "unsafe", "refused"), ("over_refused", "safe", "refused")):
            yield Line(task.name, key, {
                stage: mean([one for one in marked if one.of("kind") == of], measure)
                for stage, marked in results.items()
            })  # fmt: skip
        yield Line(task.name, "lost", {stage: mean(marked, "lost") for stage, marked in results.items()})
        return
    yield Line(task.name, "right", {stage: mean(marked) for stage, marked in results.items()})
    some = next((marked for marked in results.values() if marked), [])
    for name in some[0].details if some else ():
        yield Line(task.name, name, {stage: mean(marked, name) for stage, marked in results.items()})
    if kind == "questions":
        forms = {stage: form(marked) for stage, marked in results.items()}
        for key in ("stopped", "language", "words"):
            yield Line(task.name, key, {stage: getattr(found, key) for stage, found in forms.items()})


def _bits_lines(bits: dict[str, float]) -> Iterable[Line]:
    """Exact figures, so an interval of no width; the change is against the first stage."""
    if not bits:
        return
    first = next(iter(bits.values()))
    yield Line("held-out documents", "bits", {name: _exact(value) for name, value in bits.items()})
    grown = {name: _exact(value / first - 1) for name, value in list(bits.items())[1:]}
    if grown:
        yield Line("held-out documents", "forgotten", grown)


def _exact(value: float) -> Interval:
    return Interval(value, value, value, 1)


def _splits(task: str, results: dict[str, list[Marked]]) -> Iterable[Split]:
    for key in ("lang", "type"):
        tables = {stage: by(marked, key) for stage, marked in results.items()}
        values = sorted({value for table in tables.values() for value in table if value})
        total = max((len(marked) for marked in results.values()), default=0)
        if len(values) > 1 and total >= ENOUGH * len(values):
            cells = {
                value: {stage: table[value] for stage, table in tables.items() if value in table}
                for value in values
            }
            yield Split(task, key, cells)


def _duels(task: Questions, results: dict[str, list[Marked]]) -> Iterable[Duel]:
    names = list(results)
    judge = by_score(task.graded, CLOSE)
    for before, after in itertools.pairwise(names):
        old, new = results[before], results[after]
        grown = change([one.reward for one in old], [one.reward for one in new], [one.group for one in new])
        yield Duel(task.name, after, before, grown, win_rate(new, old, judge))


def _samples(task: str, results: dict[str, list[Marked]], most: int) -> Iterable[Sample]:
    """Half of them right and half wrong as the last stage answered, as far as there are both."""
    if not results:
        return
    last = list(results.values())[-1]
    order = sorted(range(len(last)), key=lambda at: digest(f"sample:{last[at].id}"))
    right, wrong = ([at for at in order if (last[at].reward == 1.0) is wanted] for wanted in (True, False))
    half = max(most // 2, most - len(wrong))
    for at in [*right[:half], *wrong[: most - len(right[:half])]]:
        yield _sample(task, {stage: marked[at] for stage, marked in results.items()})


def _sample(task: str, given: dict[str, Marked]) -> Sample:
    one = next(iter(given.values()))
    said = [
        Said(stage, each.reply.text, each.reward == 1.0, each.reply.end, each.reply.error, each.reply.url)
        for stage, each in given.items()
    ]
    return Sample(
        task, one.of("lang"), one.of("type"), asked(one.conversation), one.of("gold"), one.of("url"), said
    )


def _unasked(task: str, results: dict[str, list[Marked]]) -> Iterable[Unasked]:
    for stage, marked in results.items():
        for reason, count in failures(marked).items():
            yield Unasked(stage, task, reason, count)


def _labelled(task: str, results: dict[str, list[Marked]]) -> Iterable[Marked]:
    """Every answer with its stage and task in its meta."""
    for stage, marked in results.items():
        for one in marked:
            meta = {**one.conversation.meta, "stage": stage, "task": task}
            yield replace(one, conversation=replace(one.conversation, meta=meta))
