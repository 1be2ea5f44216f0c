"""Import: JSON Lines become tasks. A record's fields say what it is; what is asked of people may be chosen.

    fields                                  becomes      the alternative (`kind`)
    messages, ending with the assistant     correct      write (a new answer), rate (the answer)
    messages, ending with somebody else     write        -
    prompt                                  write        -
    prompt, answers [2 to 4]                compare      -
    prompt, chosen, rejected                compare      - (which was chosen is kept as a suggestion, or gold)
    prompt, completion                      rate         correct
    question, answer, quote, document ...   correct      write, rate   (a drafter's own form of a proposal)

Importing a file again adds only what is new. A record that no person could label (equal sides, an empty
answer) is skipped and counted with its reason; one that is none of the above stops the import before anything
of its batch is kept, naming the record. Each task keeps which file, and which of its records, it came from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import Any

from nextword.common.dialogue import messages_of, plain
from nextword.common.errors import BadInput
from nextword.common.files import sha256
from nextword.common.progress import Progress
from nextword.common.records import read_records
from nextword.label.database import Change, Database
from nextword.label.kinds import Json
from nextword.label.person import Person
from nextword.label.project import project_row
from nextword.label.schema import SuggestionRow
from nextword.label.tasks import NewTask, add

BATCH = 200
QUOTE = ("quote", "start", "end", "document", "url", "by", "score")


@dataclass
class Imported:
    """What an import did: tasks made, asked for before, and skipped by reason."""

    made: int = 0
    known: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = [f"{self.made:,} tasks made, {self.known:,} were there already"]
        lines += [f"{count:,} skipped: {why}" for why, count in self.skipped.most_common()]
        return "\n".join(lines)


@dataclass(frozen=True)
class Suggested:
    """A task and what the record itself would answer, and how sure it is."""

    task: NewTask
    answer: Json | None = None
    score: float = 1.0


class Intake:
    """Making tasks of records."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def read(
        self,
        actor: Person,
        project: int,
        path: Path,
        kind: str = "",
        overlap: int | None = None,
        is_gold: bool = False,
        progress: Progress | None = None,
    ) -> Imported:
        """Import a record file. is_gold: comparisons whose chosen answer is known become gold items."""
        origin = {"file": path.name, "sha256": sha256(path) if path.exists() else ""}
        return self.add(actor, project, read_records(path), kind, overlap, is_gold, origin, progress)

    def add(
        self,
        actor: Person,
        project: int,
        records: Iterable[Json],
        kind: str = "",
        overlap: int | None = None,
        is_gold: bool = False,
        origin: Json | None = None,
        progress: Progress | None = None,
    ) -> Imported:
        """Import records; BadInput names the first that is no task."""
        actor.must("owner", "import")
        done = Imported()
        numbered = iter(enumerate(records, 1))
        while batch := list(islice(numbered, BATCH)):
            with self.database.write(actor) as change:
                _ = project_row(change.session, project, is_locked=True)  # kept: every task looks it up
                for number, record in batch:
                    _add_one(change, project, number, record, kind, overlap, is_gold, origin or {}, done)
            if progress:
                progress.advance(len(batch))
        return done


def _add_one(
    change: Change,
    project: int,
    number: int,
    record: Json,
    kind: str,
    overlap: int | None,
    is_gold: bool,
    origin: Json,
    done: Imported,
) -> None:
    try:
        found = task_of(record, kind)
    except ValueError as error:
        where = f"{origin.get('file', 'import')}: record {number}"
        raise BadInput(str(error), where=where, do="see docs/formats.md") from error
    try:
        new = replace(
            found.task,
            overlap=overlap,
            gold=_gold(found) if is_gold else None,
            origin={**_meta(record), "import": {**origin, "record": number}},
        )
        row, is_new = add(change, project, new)
    except BadInput as error:
        done.skipped[error.what] += 1
        return
    done.made += is_new
    done.known += not is_new
    if is_new and found.answer is not None and not is_gold:
        given = SuggestionRow(
            task_id=row.id, by="import", answer=found.answer, score=found.score, at=change.now
        )
        change.session.add(given)


def task_of(record: Json, kind: str = "") -> Suggested:
    """The task that a record is; ValueError says why it is none."""
    readers = (
        ("messages", _conversation),
        ("question", _proposal),
        ("chosen", _comparison),
        ("answers", _comparison),
        ("completion", _rated),
        ("prompt", _prompt),
    )
    for name, reader in readers:
        if name in record:
            found = reader(record, kind)
            break
    else:
        raise ValueError("neither messages, prompt nor question")
    if kind and found.task.kind != kind:
        raise ValueError(f"cannot become a task of the kind {kind}")
    return replace(found, task=replace(found.task, lang=_lang(record)))


def _conversation(record: Json, kind: str) -> Suggested:
    turns = plain(messages_of(record["messages"]))
    if not isinstance(record.get("tools"), (list, NoneType)):
        raise ValueError("`tools` is not a list")
    about = {"tools": record["tools"]} if record.get("tools") else {}
    if turns[-1]["role"] != "assistant":
        return Suggested(NewTask("write", turns, about=about))
    if len(turns) < 2:
        raise ValueError("an answer without a question")
    return Suggested(_of_answer(turns[:-1], turns[-1:], kind or "correct", about, record))


def _of_answer(prompt: list[Json], answer: Any, kind: str, about: Json, record: Json) -> NewTask:
    """A task about one answer: to correct it, to rate it, or to write another."""
    by = str(record.get("by") or record.get("model") or "")
    if kind == "rate":
        scale: Json = {name: record[name] for name in ("criteria", "low", "high") if name in record}
        return NewTask("rate", prompt, {"answer": {"messages": answer, "by": by}, **scale}, about)
    if kind == "write":
        return NewTask("write", prompt, about=about)
    return NewTask("correct", prompt, {"draft": answer, "by": by}, about)


def _proposal(record: Json, kind: str) -> Suggested:
    question = record["question"]
    if not isinstance(question, str) or not isinstance(record.get("answer"), str):
        raise ValueError("a proposal has a question and an answer")
    about = {"quote": {name: record[name] for name in QUOTE if name in record}}
    prompt = [{"role": "user", "content": question}]
    return Suggested(_of_answer(prompt, record["answer"], kind or "correct", about, record))


def _comparison(record: Json, kind: str) -> Suggested:
    prompt = plain(messages_of(record.get("prompt"), "user"))
    if "answers" in record:
        if not isinstance(record["answers"], list):
            raise ValueError("`answers` is not a list")
        given = [each if isinstance(each, dict) else {"messages": each} for each in record["answers"]]
        answers = [
            {"messages": each.get("messages", each.get("text")), "by": each.get("by", "")} for each in given
        ]
        ranks = record.get("ranks")
    else:
        answers = [{"messages": record.get(side), "by": ""} for side in ("chosen", "rejected")]
        ranks = [1, 2]
    known = (
        isinstance(ranks, list) and len(ranks) == len(answers) and all(type(rank) is int for rank in ranks)
    )
    return Suggested(
        NewTask("compare", prompt, {"answers": answers}), {"ranks": ranks, "bad": False} if known else None
    )


def _rated(record: Json, kind: str) -> Suggested:
    prompt = plain(messages_of(record.get("prompt"), "user"))
    return Suggested(_of_answer(prompt, record["completion"], kind or "rate", {}, record))


def _prompt(record: Json, kind: str) -> Suggested:
    return Suggested(NewTask("write", plain(messages_of(record["prompt"], "user"))))


def _gold(found: Suggested) -> Json:
    if found.answer is None:
        raise BadInput("a gold item without a known answer")
    return found.answer


def _lang(record: Json) -> str:
    meta = record.get("meta")
    return str(record.get("lang") or (meta.get("lang") if isinstance(meta, dict) else "") or "")[:10]


def _meta(record: Json) -> Json:
    meta = record.get("meta")
    kept = {"id": record["id"]} if isinstance(record.get("id"), str) else {}
    return {**(meta if isinstance(meta, dict) else {}), **kept}
