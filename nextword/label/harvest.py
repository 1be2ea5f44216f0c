"""What labels become: records in the formats that training reads, each saying who decided it, when and how.

    format           made of                                     one record is
    conversations    write, correct (accepted or not reviewed)   messages, the written answer last
    comparisons      compare                                     prompt, chosen, rejected: every pair of ranks
    rated            rate, correct                               prompt, completion, label (KTO's form)
    labels           every submitted label                       the label itself, for studies of the labels

Left out of training formats: gold items, retired tasks, rejected answers and those that wait for their
review, ties, answers of which none is good, and ratings in the very middle of the scale. A correction says
two things to KTO: the draft was good as it was, or it was not.

`meta` keeps the origin of the task and gains `id` and `labelled`: the task, how the decision came about
(written, single, agreement, majority, adjudication, machine), the guide's version and, under pseudonyms, who
labelled when, and whether it was a machine (then its name too).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from nextword.label.kinds import Json
from nextword.label.schema import DecisionRow, LabelRow, PersonRow, TaskRow

Format = Literal["conversations", "comparisons", "rated", "labels"]
FORMATS: tuple[Format, ...] = get_args(Format)
KINDS_OF: dict[str, tuple[str, ...]] = {
    "conversations": ("write", "correct"),
    "comparisons": ("compare",),
    "rated": ("rate", "correct"),
    "labels": ("write", "correct", "compare", "rate", "review"),
}
ACCEPTED = ("", "accepted", "amended")


@dataclass(frozen=True)
class Row:
    """A record, and the task and label (where one person wrote it) that it comes from."""

    record: Json
    task: int
    label: int | None


@dataclass(frozen=True)
class Labelled:
    """A task with its submitted labels, their authors, and the decision, if any."""

    task: TaskRow
    labels: Sequence[tuple[LabelRow, PersonRow]]
    decision: DecisionRow | None
    by: PersonRow | None


def harvest(
    session: Session,
    project: int,
    format: Format,
    sources: Sequence[str] = (),
    kinds: Sequence[str] = (),
    has_machines: bool = True,
) -> Iterator[Row]:
    """The project's records in one format, in the order of the tasks. sources, kinds: only of these, where
    given; has_machines: also what machines alone labelled or decided."""
    make = {
        "conversations": _conversations,
        "comparisons": _comparisons,
        "rated": _rated,
        "labels": _labels,
    }[format]
    wanted = [kind for kind in KINDS_OF[format] if not kinds or kind in kinds]
    for labelled in _tasks(session, project, wanted, sources):
        is_kept = format == "labels" or (labelled.task.gold is None and labelled.task.state != "retired")
        if is_kept and (has_machines or not _is_of_machines(labelled)):
            yield from make(labelled)


def _tasks(session: Session, project: int, kinds: list[str], sources: Sequence[str]) -> Iterator[Labelled]:
    wanted = (
        select(TaskRow, LabelRow, PersonRow, DecisionRow)
        .outerjoin(LabelRow, (LabelRow.task_id == TaskRow.id) & (LabelRow.state == "submitted"))
        .outerjoin(PersonRow, PersonRow.id == LabelRow.person_id)
        .outerjoin(DecisionRow, DecisionRow.task_id == TaskRow.id)
        .where(TaskRow.project_id == project, TaskRow.kind.in_(kinds))
        .order_by(TaskRow.id, LabelRow.submitted, LabelRow.id)
    )
    wanted = wanted.where(TaskRow.source.in_(sources)) if sources else wanted
    people = {row.id: row for row in session.scalars(select(PersonRow))}
    rows = session.execute(wanted.execution_options(yield_per=500))
    for _, group in groupby(rows, key=lambda row: row[0].id):
        found = list(group)
        task, _, _, decision = found[0]
        labels = [(label, person) for _, label, person, _ in found if label is not None]
        by = people.get(decision.person_id) if decision is not None and decision.person_id else None
        yield Labelled(task, labels, decision, by)


def _is_of_machines(labelled: Labelled) -> bool:
    if labelled.by is not None:
        return labelled.by.is_machine
    return all(person.is_machine for _, person in labelled.labels)


def _conversations(labelled: Labelled) -> Iterator[Row]:
    task = labelled.task
    for label, person in labelled.labels:
        answer = label.answer or {}
        if label.verdict not in ACCEPTED or answer.get("verdict") == "unusable":
            continue
        said = (label.final or answer)["messages"]
        tools = task.material.get("about", {}).get("tools")
        record: Json = {"messages": [*_prompt(task, answer), *said]}
        if tools:
            record["tools"] = tools
        record["meta"] = _meta(labelled, [(label, person)], "written", label.guide, len(labelled.labels) > 1)
        if label.verdict:
            record["meta"]["labelled"]["review"] = label.verdict
        yield Row(record, task.id, label.id)


def _comparisons(labelled: Labelled) -> Iterator[Row]:
    task, decision = labelled.task, labelled.decision
    if decision is None or decision.answer["bad"]:
        return
    ranks, answers = decision.answer["ranks"], task.material["answers"]
    meta = _decided(labelled, decision)
    if "margin" in decision.answer:
        meta["margin"] = decision.answer["margin"]
    for one, other in combinations(range(len(answers)), 2):
        if ranks[one] == ranks[other]:
            continue
        better, worse = sorted((one, other), key=lambda at: ranks[at])
        named = {**meta, "chosen_by": answers[better]["by"], "rejected_by": answers[worse]["by"]}
        if len(answers) > 2:
            named["id"] = f"{meta['id']}-{better}-{worse}"
        sides = {"chosen": answers[better]["messages"], "rejected": answers[worse]["messages"]}
        yield Row({"prompt": task.prompt, **sides, "meta": named}, task.id, None)


def _rated(labelled: Labelled) -> Iterator[Row]:
    task, decision = labelled.task, labelled.decision
    if task.kind == "correct":
        for label, person in labelled.labels:
            if label.verdict in ACCEPTED and label.answer and label.answer["verdict"] != "unusable":
                is_good = label.answer["verdict"] == "good" and label.final is None
                several = len(labelled.labels) > 1
                meta = _meta(labelled, [(label, person)], "written", label.guide, several)
                sides = {"prompt": task.prompt, "completion": task.material["draft"], "label": is_good}
                yield Row({**sides, "meta": meta}, task.id, label.id)
    elif decision is not None:
        mean = statistics.fmean(decision.answer["ratings"].values())
        middle = (task.material["low"] + task.material["high"]) / 2
        if mean != middle:
            meta = {**_decided(labelled, decision), "ratings": decision.answer["ratings"]}
            said = task.material["answer"]["messages"]
            record = {"prompt": task.prompt, "completion": said, "label": mean > middle, "meta": meta}
            yield Row(record, task.id, None)


def _labels(labelled: Labelled) -> Iterator[Row]:
    task = labelled.task
    for label, person in labelled.labels:
        record = {
            "task": task.key[:16],
            "kind": task.kind,
            "prompt": task.prompt,
            "material": task.material,
            "answer": label.answer,
            "sides": label.order,
            "seconds": round(label.seconds, 1),
            "verdict": label.verdict,
            "final": label.final,
            "gold": label.is_right,
            "guide": label.guide,
            "origin": task.origin,
            **_who(label, person),
        }
        yield Row(record, task.id, label.id)


def _prompt(task: TaskRow, answer: Json) -> list[Json]:
    """The prompt, with the question as it was corrected, if it was."""
    prompt = list(task.prompt)
    if "question" in answer:
        last = max(at for at, message in enumerate(prompt) if message["role"] == "user")
        prompt[last] = {**prompt[last], "content": answer["question"]}
    return prompt


def _decided(labelled: Labelled, decision: DecisionRow) -> Json:
    labels = [pair for pair in labelled.labels if pair[0].verdict != "rejected"]
    meta = _meta(
        labelled, labels, decision.method, max((label.guide for label, _ in labels), default=0), False
    )
    if labelled.by is not None:
        decider: Json = {"who": labelled.by.pseudonym, "when": decision.at.isoformat(timespec="seconds")}
        if labelled.by.is_machine:
            decider |= {"machine": labelled.by.name, "score": decision.score}
        meta["labelled"]["decided_by"] = decider
    return meta


def _meta(
    labelled: Labelled, labels: Sequence[tuple[LabelRow, PersonRow]], how: str, guide: int, is_one_of: bool
) -> Json:
    task = labelled.task
    id = task.key[:16] + (f"-{labels[0][0].id}" if is_one_of else "")
    by = [_who(label, person) for label, person in labels]
    facts: Json = {
        "task": task.key[:16],
        "kind": task.kind,
        "source": task.source,
        "how": how,
        "guide": guide,
    }
    lang = {"lang": task.lang} if task.lang else {}
    quote = task.material.get("about", {}).get("quote")
    return {
        **task.origin,
        **lang,
        **({"quote": quote} if quote else {}),
        "id": id,
        "labelled": {**facts, "by": by},
    }


def _who(label: LabelRow, person: PersonRow) -> Json:
    """A label's author without their name; of a machine its name, which says what it is."""
    when = label.submitted.isoformat(timespec="seconds") if label.submitted else ""
    machine = {"machine": person.name, "score": label.score} if person.is_machine else {}
    return {"who": person.pseudonym, "when": when, **machine}
