"""Seed data of approved proposals: the folder that seed.py writes, for documents of any other kind.

    seed_of_approved(QuestionSettings(), Path("approved.jsonl"), Path("runs/handbook/seed"))

Each approved conversation is a question, a page and a quotation of it. Approvals are few (rules find one or
two questions in a page), so none is spent on one form alone: every question is asked with its page, some also
from memory and with a wrong page. Where the pages are given, their other sentences are asked for too
(reading.py), and the approved questions stand among them SEEN times. Lines of the pages to copy fill up to
FILLED conversations, because copying is what a small model has to learn. Held out are, by a hash of the
answer, a tenth of the questions or ENOUGH of them, and never more than a third: what two pages say in the
same words is on one side.

What a person has written anew, without a quotation of the page, is learnt as it is, but no machine could mark
it, so it is never held out.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nextword.common.dialogue import read_conversations
from nextword.common.errors import BadInput
from nextword.common.files import check_replaceable
from nextword.common.records import Conversation, Document, digest
from nextword.data.copying import Sources, copying_rows, lines_of
from nextword.data.own_text import own_conversations
from nextword.data.phrases import Lang
from nextword.data.questions import Question, QuestionSettings
from nextword.data.reading import reading_rows
from nextword.data.seed import (
    HELDOUT_SHARE,
    OURS,
    Pages,
    closed_book,
    counted,
    forms,
    open_book,
    write_seed,
    wrong_page,
)
from nextword.data.sentences import is_korean

SOURCE = "propose"
TYPE = "quote"
"""The type of these questions: right is who says the sentence of the page."""
FILLED = 1500
"""Conversations to train on, where the approved ones are fewer."""
SEEN = 3
"""Times that the approved questions stand among what is learnt beside reading practice."""
ENOUGH = 60
"""Held-out questions that tell something; a tenth of two hundred does not."""
QUOTED = re.compile(r'^"([^"]+)"')


def seed_of_approved(
    settings: QuestionSettings, approved: Path, out: Path, pages: Iterable[Document] = ()
) -> dict[str, Any]:
    """Write the seed data of approved conversations into `out`; returns what seed.json says.

    pages: what the questions are about, for reading practice.

    Raises BadInput when fewer than two of them are quotations, or `out` holds what is not an earlier output.
    """
    check_replaceable(out, OURS, inputs=[approved])
    conversations = list(read_conversations(approved))
    asked = [(each, question_of(each)) for each in conversations]
    questions = [question for _, question in asked if question]
    by = {question.id: approver(each) for each, question in asked if question}
    if len({question.function_id for question in questions}) < 2:
        do = "approve more, each a question, a page and a quotation of it (see `nextword propose`)"
        raise BadInput(f"{len(questions):,} quotations are too few to learn from", where=approved, do=do)
    train, held = split(questions, settings)
    rng = random.Random(f"{settings.seed}:{len(train)}:{len(held)}")
    written = [_written(each) for each, question in asked if not question]
    rows = [*_rows(train, settings, rng, by), *written]
    few = round(HELDOUT_SHARE * len(rows))
    quoted = {gold for question in held for gold in question.gold}
    room = round((1 - settings.copying) * settings.conversations) - SEEN * len(rows)
    reading = list(reading_rows(pages, quoted, max(0, room), settings.excerpt, rng))
    rows = [*rows * (SEEN if reading else 1), *reading]
    copies = max(FILLED - len(rows), round(settings.copying * len(rows)))
    made = {
        "train": [*rows, *copying_rows(_sources(train, held), copies, rng)],
        "heldout": [*_rows(held, settings, rng, by), *copying_rows(_sources(held, train), few, rng)],
        "own": [each for path in own_conversations() for each in read_conversations(path)],
    }
    rng.shuffle(made["train"])
    found = {
        "approved": len(conversations),
        "by": dict(Counter(approver(each) for each in conversations)),
        "questions": {"train": counted(train), "heldout": counted(held)},
        **{name: forms(rows) for name, rows in made.items()},
    }
    write_seed(out, settings, made, train, held, train, found, approved=approved)
    return found


def question_of(conversation: Conversation) -> Question | None:
    """The question that an approved conversation asks; None where its answer is no quotation of its page."""
    messages = conversation.messages
    if [each.role for each in messages] != ["user", "tool", "assistant"]:
        return None
    text, page, answer = (str(each.content) for each in messages)
    quoted, (title, _, excerpt) = QUOTED.match(answer), page.partition("\n")
    if not quoted or quoted[1] not in " ".join(page.split()):
        return None
    lang: Lang = "ko" if is_korean(text) else "en"
    url, quote = str(conversation.meta.get("url", "")), quoted[1]
    group = f"quote:{digest(quote)[:16]}"
    return Question(
        f"{digest(text)[:16]}:{lang}", TYPE, lang, text, answer, [quote], url, group, excerpt, title
    )


def split(questions: Sequence[Question], settings: QuestionSettings) -> tuple[list[Question], list[Question]]:
    """(to train on, held out): by a hash of the answer, so a longer list moves few from side to side."""
    groups: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        groups[question.function_id].append(question)
    order = sorted(groups, key=lambda group: digest("held-out:" + group))
    wanted = max(ENOUGH, round(len(order) * settings.heldout_percent / 100))
    out = order[: max(1, min(wanted, len(order) // 3, settings.heldout_questions))]
    held = [question for group in out for question in groups[group]]
    return [question for group in order[len(out) :] for question in groups[group]], held


def approver(conversation: Conversation) -> str:
    """Who said yes: a machine by its name, people, or nobody."""
    labelled = conversation.meta.get("labelled")
    by = labelled.get("by") if isinstance(labelled, dict) else None
    if not isinstance(by, list) or not by or not isinstance(by[0], dict):
        return "nobody"
    return str(by[0].get("machine", "people"))


def _rows(
    questions: Sequence[Question], settings: QuestionSettings, rng: random.Random, by: Mapping[str, str]
) -> list[Conversation]:
    """Every question with its page; by their shares some also from memory and with a page of another.

    by: who approved each question, which stands on every record made of it.
    """
    others = Pages(questions, rng)
    rest = max(1e-9, 1 - settings.copying - settings.closed_book - settings.wrong_page)
    rows = []
    for question in questions:
        made = [open_book(question, SOURCE)]
        if rng.random() < settings.closed_book / rest:
            made.append(closed_book(question, SOURCE))
        if rng.random() < settings.wrong_page / rest:
            made.append(wrong_page(question, others.other_than(question), SOURCE))
        rows += [replace(each, meta={**each.meta, "approved_by": by[question.id]}) for each in made]
    return rows


def _written(conversation: Conversation) -> Conversation:
    """What people wrote themselves, as it is."""
    lang = "ko" if is_korean(str(conversation.messages[0].content)) else "en"
    meta = {"source": SOURCE, "form": "written", "type": TYPE, "lang": lang}
    return replace(conversation, meta={**meta, "approved_by": approver(conversation)})


def _sources(shown: Iterable[Question], others: Iterable[Question]) -> Sources:
    """Lines of the pages shown, by language, less those of the other side's."""
    kept = set(lines_of([question.excerpt for question in others]))
    lines: dict[Lang, list[str]] = {"en": [], "ko": []}
    for line in lines_of([question.excerpt for question in shown]):
        if line not in kept:
            lines["ko" if is_korean(line) else "en"].append(line)
    return Sources(lines)
