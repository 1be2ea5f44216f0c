"""What follows from a submitted label.

A gold item is marked, a review is asked for or carried out, and a task whose slots are all filled is settled.

    written (write, correct)   each label is a record; a share of them is reviewed: accepted, amended by the
                               reviewer, or rejected, which opens the slot for somebody else
    judged (compare, rate)     the labels become one decision where people agree or a majority of them does;
                               otherwise the task is disputed and waits for adjudication
    decided as "both are bad"  a task to write a better answer is made, ahead of the queue

Taking a label back undoes exactly that, as long as nobody has built on it.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import select

from nextword.label.database import Change
from nextword.label.kinds import KINDS, Json, is_right, text_of, value
from nextword.label.person import Person
from nextword.label.project import ProjectSettings
from nextword.label.refusals import Conflict
from nextword.label.schema import DatasetRecordRow, DecisionRow, LabelRow, SlotRow, TaskRow
from nextword.label.tasks import SOON, NewTask, add, task_row
from nextword.label.text import fraction


def follow(change: Change, settings: ProjectSettings, task: TaskRow, label: LabelRow) -> None:
    """Do what the submission of this label calls for. The task, and its parent if any, are locked."""
    assert label.answer is not None, "a submitted label has its answer"
    if task.gold is not None:
        label.is_right = is_right(task.kind, label.answer, task.gold)
        return
    if task.kind == "review":
        _carry_out(change, task, label.answer)
    if KINDS[task.kind].is_written and fraction("review", task.key, label.id) < settings.review_share:
        _ask_for_review(change, task, label)
    settle(change, task)


def settle(change: Change, task: TaskRow) -> None:
    """If all slots are filled, the task is done or disputed."""
    change.session.flush()
    wanted = select(SlotRow.is_filled).where(SlotRow.task_id == task.id)
    if not all(change.session.scalars(wanted)):
        return
    if not KINDS[task.kind].is_judged:
        task.state = "done"
        return
    answers = [label.answer for label in submitted(change, task) if label.answer is not None]
    found = verdict(task.kind, task.key, answers)
    if found is None:
        task.state = "disputed"
        change.note("dispute", f"task {task.id}", labels=len(answers))
        return
    decide(change, task, *found)


def verdict(kind: str, key: str, answers: Sequence[Json]) -> tuple[Json, str] | None:
    """What several people's answers say together, and how they came to say it; None where they disagree.

    Comparisons: the best answer that all, or more than half, chose; ranks below it by their mean.
    Ratings: the median, where no two are further than one apart.
    """
    if len(answers) == 1:
        return answers[0], "single"
    if kind == "rate":
        columns = {name: [each["ratings"][name] for each in answers] for name in answers[0]["ratings"]}
        if any(max(column) - min(column) > 1 for column in columns.values()):
            return None
        return {"ratings": {name: statistics.median(column) for name, column in columns.items()}}, "agreement"
    values = [value(kind, key, answer) for answer in answers]
    best, count = Counter(values).most_common(1)[0]
    if 2 * count <= len(values):
        return None
    agreeing = [answer for answer, each in zip(answers, values, strict=True) if each == best]
    return _together(agreeing), "agreement" if count == len(values) else "majority"


def decide(
    change: Change,
    task: TaskRow,
    answer: Json,
    method: str,
    person: Person | None = None,
    score: float | None = None,
) -> None:
    """Let an answer hold for the task, which is locked, and do what it calls for."""
    row = change.session.get(DecisionRow, task.id)
    if row is None:
        row = DecisionRow(task_id=task.id)
        change.session.add(row)
    row.answer, row.method, row.score, row.at = answer, method, score, change.now
    row.person_id = person.id if person else None
    task.state = "done"
    facts = {"answer": answer, "method": method, "score": score, "by": person.pseudonym if person else None}
    change.note("decide", f"task {task.id}", **facts)
    if answer.get("bad"):
        _ask_to_write(change, task)


def take_back(change: Change, task: TaskRow, label: LabelRow) -> None:
    """Undo a submission by its author; Conflict where somebody has built on it."""
    decision = change.session.get(DecisionRow, task.id)
    exported = select(DatasetRecordRow.number).where(DatasetRecordRow.task_id == task.id).limit(1)
    if (
        label.verdict not in ("", "waiting")
        or (decision is not None and decision.method == "adjudication")
        or task.gold is not None
        or task.kind == "review"
        or task.state == "retired"
        or change.session.scalar(exported) is not None
    ):
        do = "ask a reviewer to change the decision"
        raise Conflict("others have built on this label", do=do, code="built_on")
    withdraw_children(change, task, label)
    if decision is not None:
        change.session.delete(decision)
    task.state, label.verdict, label.is_right = "open", "", None
    slot = change.session.scalar(
        select(SlotRow)
        .where(SlotRow.task_id == task.id, SlotRow.person_id == label.person_id)
        .with_for_update()
    )
    if slot is not None:
        slot.is_filled = False


def withdraw_children(change: Change, task: TaskRow, label: LabelRow | None = None) -> None:
    """Retire the tasks that follow from this one (of one label, where it is given); Conflict once begun."""
    wanted = select(TaskRow).where(TaskRow.parent_id == task.id).order_by(TaskRow.id).with_for_update()
    for child in change.session.scalars(wanted):
        if label is not None and child.about_label not in (None, label.id):
            continue
        begun = select(LabelRow.id).where(LabelRow.task_id == child.id, LabelRow.state != "lapsed")
        if change.session.scalar(begun.limit(1)) is not None:
            raise Conflict("somebody has begun to work on what followed from this", code="built_on")
        child.state = "retired"


def submitted(change: Change, task: TaskRow) -> list[LabelRow]:
    """The labels that count: submitted and not rejected, in the order in which they came."""
    wanted = select(LabelRow).where(
        LabelRow.task_id == task.id, LabelRow.state == "submitted", LabelRow.verdict != "rejected"
    )
    return list(change.session.scalars(wanted.order_by(LabelRow.submitted, LabelRow.id)))


def _together(answers: Sequence[Json]) -> Json:
    """One comparison of those who agree on the best answer: ranks by their mean, margin by its mean."""
    means = [statistics.fmean(ranks) for ranks in zip(*(each["ranks"] for each in answers), strict=True)]
    dense = {mean: place for place, mean in enumerate(sorted(set(means)), 1)}
    margins = [each["margin"] for each in answers if "margin" in each]
    margin = {"margin": round(statistics.fmean(margins), 2)} if margins else {}
    return {"ranks": [dense[mean] for mean in means], "bad": answers[0]["bad"]} | margin


def _ask_to_write(change: Change, task: TaskRow) -> None:
    bad = [text_of(each["messages"]) for each in task.material["answers"]]
    new = NewTask(
        "write",
        task.prompt,
        about={**task.material.get("about", {}), "bad_answers": bad},
        lang=task.lang,
        overlap=1,
        source="both_bad",
        origin=task.origin,
        priority=SOON,
        parent=task.id,
    )
    row, _ = add(change, task.project_id, new)
    if row.state == "retired":  # asked for, taken back, and asked for again
        row.state = "open"


def _ask_for_review(change: Change, task: TaskRow, label: LabelRow) -> None:
    assert label.answer is not None, "a submitted label has its answer"
    label.verdict = "waiting"
    material: Json = {"answer": {name: item for name, item in label.answer.items() if name != "note"}}
    if "draft" in task.material:
        material["answer"]["draft"] = task.material["draft"]
    new = NewTask(
        "review",
        task.prompt,
        material,
        about=task.material.get("about", {}),
        lang=task.lang,
        overlap=1,
        source="review",
        priority=SOON,
        parent=task.id,
        about_label=label.id,
    )
    row, _ = add(change, task.project_id, new)
    if row.state == "retired":
        row.state = "open"


def _carry_out(change: Change, task: TaskRow, answer: Json) -> None:
    """Let the reviewer's verdict hold for the label that the review is about."""
    assert task.about_label is not None and task.parent_id is not None, "a review is about a label"
    parent = task_row(change, task.parent_id)
    label = change.session.get(LabelRow, task.about_label, with_for_update=True)
    assert label is not None, "labels are never deleted"
    said = answer["verdict"]
    label.verdict = {"accept": "accepted", "amend": "amended", "reject": "rejected"}[said]
    label.final = {"messages": answer["messages"]} if said == "amend" else None
    change.note("review", f"task {parent.id}", label=label.id, verdict=label.verdict, final=label.final)
    if said == "reject":
        slot = change.session.scalar(
            select(SlotRow)
            .where(SlotRow.task_id == parent.id, SlotRow.person_id == label.person_id)
            .with_for_update()
        )
        if slot is not None:
            slot.person_id, slot.leased_until, slot.is_filled = None, None, False
        if parent.state != "retired":
            parent.state = "open"
