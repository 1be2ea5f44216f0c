"""The kinds of tasks: what each shows, what may be answered, and what of an answer can agree.

    kind      material (shown beside the prompt)       answer, as it is kept
    write     -                                        {"messages"}
    correct   {"draft"}: a machine's answer            {"verdict": good | changed | unusable, "messages"}
    compare   {"answers": [2 to 4]}                    {"ranks": [1, 2], "bad": false, "margin"}
    rate      {"answer", "criteria", "low", "high"}    {"ratings": {"helpful": 4}}
    review    {"answer"}: what somebody wrote          {"verdict": accept | amend | reject, "messages"}

A page may answer more simply ("text" for one assistant message, "choice" for the position of the best answer
as shown, or "tie" or "bad"); `read` turns that into the form above, in which ranks belong to the answers as
they are stored, whatever order they were shown in. Every answer may have a "note".

Written answers (write, correct) are each a record of their own and may be reviewed. Judgements (compare,
rate) of several people become one decision.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from nextword.common.dialogue import messages_of, plain, text_in
from nextword.common.errors import BadInput
from nextword.label.refusals import Unusable
from nextword.label.sides import order_for, unswapped
from nextword.label.text import checked, storable

Json = dict[str, Any]
CRITERIA = ("helpful", "truthful", "harmless")
MOST_NOTE = 10_000


@dataclass(frozen=True)
class Kind:
    """One kind. `material` checks what a task shows; `read` what was answered, given the sides' order."""

    name: str
    material: Callable[[Json], Json]
    read: Callable[[Json, Json, Sequence[int]], Json]
    is_written: bool = False
    is_judged: bool = False


def messages(value: Any, what: str) -> list[Json]:
    """One or more messages, the last of them the assistant's; a string is one such message."""
    try:
        found = plain(messages_of(value, "assistant"))
    except ValueError as error:
        raise BadInput(f"{what}: {error}") from error
    if found[-1]["role"] != "assistant" or not text_of(found):
        raise Unusable(f"{what} is empty", code="empty", facts={"what": what})
    return list(storable(found, what))


def text_of(messages: Sequence[Json]) -> str:
    """What the messages say, stripped; parts that are not text are left out."""
    return "\n".join(text_in(message["content"]) for message in messages).strip()


def answers_of(material: Json) -> list[Json]:
    """The answers that a compare task shows, as they are stored."""
    return list(material.get("answers", ()))


def value(kind: str, key: str, answer: Json) -> Hashable:
    """What agreement compares: the best answer's place in the task's own order, a verdict.

    Places are those of the shuffled order, because stored positions may mean something (an import stores the
    chosen answer first), and a coefficient corrected for chance must not see that.
    """
    if kind == "compare":
        if answer["bad"]:
            return "bad"
        order = order_for(key, 0, len(answer["ranks"]))
        best = sorted(order.index(at) for at, rank in enumerate(answer["ranks"]) if rank == 1)
        return "tie" if len(best) == len(order) else "best " + " ".join(map(str, best))
    if kind == "rate":
        return tuple(sorted(answer["ratings"].items()))
    return str(answer.get("verdict", ""))


def is_right(kind: str, answer: Json, expected: Json) -> bool:
    """Whether a gold item was answered right: the same best answer or verdict, ratings within one."""
    if kind == "rate":
        ratings = answer["ratings"]
        return all(abs(ratings[name] - wanted) <= 1 for name, wanted in expected["ratings"].items())
    return value(kind, "", answer) == value(kind, "", expected)


def _nothing(given: Json) -> Json:
    return {}


def _draft(given: Json) -> Json:
    return {"draft": messages(given.get("draft"), "the draft"), "by": str(given.get("by", ""))}


def _answers(given: Json) -> Json:
    found: list[Json] = [
        {"messages": messages(each.get("messages"), "an answer"), "by": str(each.get("by", ""))}
        for each in given.get("answers", ())
    ]
    if not 2 <= len(found) <= 4:
        raise BadInput(f"a comparison of {len(found)} answers", do="give two to four")
    if len({text_of(each["messages"]) for each in found}) < len(found):
        raise Unusable(
            "a comparison with equal sides",
            do="leave it out: there is nothing to prefer",
            code="equal_sides",
        )
    return {"answers": found}


def _scale(given: Json) -> Json:
    low, high, names = given.get("low", 1), given.get("high", 5), given.get("criteria", CRITERIA)
    if not isinstance(names, (list, tuple)):
        raise BadInput(f"criteria that are no list of names: {names!r:.40}")
    criteria = [checked(name, "a criterion", most=60) for name in names]
    if not (type(low) is int and type(high) is int and low < high <= low + 100) or not criteria:
        raise BadInput(f"a scale from {low!r:.20} to {high!r:.20} with {len(criteria)} criteria")
    answer = given.get("answer") or {}
    return {
        "answer": {
            "messages": messages(answer.get("messages"), "the answer"),
            "by": str(answer.get("by", "")),
        },
        "criteria": criteria,
        "low": low,
        "high": high,
    }


def _reviewed(given: Json) -> Json:
    return {"answer": given["answer"]}


def _written(given: Json, material: Json, order: Sequence[int]) -> Json:
    return {"messages": messages(given.get("messages") or given.get("text"), "the answer")} | _note(given)


def _corrected(given: Json, material: Json, order: Sequence[int]) -> Json:
    if given.get("verdict") == "unusable":
        return {"verdict": "unusable"} | _note(given)
    said, draft = given.get("messages") or given.get("text"), material["draft"]
    final: list[Json] = messages(draft if said is None else said, "the answer")
    question = given.get("question")
    edited = {"question": checked(question, "the question")} if question is not None else {}
    is_same = text_of(final) == text_of(draft) and not edited
    return {"verdict": "good" if is_same else "changed", "messages": final} | edited | _note(given)


def _compared(given: Json, material: Json, order: Sequence[int]) -> Json:
    count = len(material["answers"])
    choice, ranks = given.get("choice"), given.get("ranks")
    if ranks is None:
        if choice in ("tie", "bad"):
            ranks = [1] * count
        elif type(choice) is int and 0 <= choice < count:
            ranks = [1 if at == choice else 2 for at in range(count)]
        else:
            do = f"choose 0 to {count - 1}, tie or bad"
            raise Unusable("nothing was chosen", do=do, code="nothing_chosen", facts={"count": count})
    if not isinstance(ranks, list) or len(ranks) != count or not all(type(rank) is int for rank in ranks):
        raise BadInput(f"{ranks!r:.60} does not rank {count} answers")
    dense = {rank: place for place, rank in enumerate(sorted(set(ranks)), 1)}
    answer = {
        "ranks": unswapped([dense[rank] for rank in ranks], order),
        "bad": choice == "bad" or given.get("bad") is True,
    }
    margin = given.get("margin")
    if margin is not None and (type(margin) is not int or not 1 <= margin <= 3):
        raise BadInput(f"a margin of {margin!r:.20}", do="give 1 (slightly better) to 3 (much better)")
    return answer | ({"margin": margin} if margin is not None else {}) | _note(given)


def _rated(given: Json, material: Json, order: Sequence[int]) -> Json:
    ratings = given.get("ratings")
    low, high = material["low"], material["high"]
    if not isinstance(ratings, dict) or set(ratings) != set(material["criteria"]):
        criteria = material["criteria"]
        what = f"every one of {', '.join(criteria)} needs a rating"
        raise Unusable(what, code="missing_ratings", facts={"criteria": criteria})
    if not all(type(rating) is int and low <= rating <= high for rating in ratings.values()):
        what = f"a rating is a number from {low} to {high}"
        raise Unusable(what, code="rating_range", facts={"low": low, "high": high})
    return {"ratings": ratings} | _note(given)


def _review(given: Json, material: Json, order: Sequence[int]) -> Json:
    verdict = given.get("verdict")
    if verdict not in ("accept", "amend", "reject"):
        raise BadInput(f"no verdict {verdict!r:.20}", do="accept, amend or reject")
    if verdict != "amend":
        return {"verdict": verdict} | _note(given)
    return {"verdict": verdict} | _written(given, material, order)


def _note(given: Json) -> Json:
    note = given.get("note")
    return {"note": checked(note, "the note", most=MOST_NOTE)} if note else {}


KINDS = {
    kind.name: kind
    for kind in (
        Kind("write", _nothing, _written, is_written=True),
        Kind("correct", _draft, _corrected, is_written=True),
        Kind("compare", _answers, _compared, is_judged=True),
        Kind("rate", _scale, _rated, is_judged=True),
        Kind("review", _reviewed, _review),
    )
}


def kind_named(name: str) -> Kind:
    """The kind of this name; BadInput when there is none."""
    if name not in KINDS:
        raise BadInput(f"no kind of task {name!r:.40}", do=f"choose from {', '.join(KINDS)}")
    return KINDS[name]
