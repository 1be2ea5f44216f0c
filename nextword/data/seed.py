"""Seed data: conversations that make a base model of the documentation answer questions about it.

    seed_conversations(QuestionSettings(), Path("runs/python-docs/crawl"), Path("runs/python-docs/seed"))

Nobody has to write them, because the documentation is its own answer key. Four forms are mixed:

    closed-book   question, answer                          what a person asks of a chat
    open-book     question, the page, answer                quoted from the page, which search will find
    wrong-page    question, another page, "does not say"    half of the time a page of the same module
    copying       copying.py

The folder gets train.jsonl, heldout.jsonl (conversations), own.jsonl (those that people wrote, to train on as
well), questions.train.jsonl (for a reward that a machine computes), questions.further.jsonl (what else the
pages to train on tell, for follow_ups.py), questions.heldout.jsonl (for evaluation), run.json and seed.json
(counts, bytes, and how often the most common answers occur).

Functions of the held-out part appear in no training question, and none is held out that the hand-written
conversations name. A neighbouring entry on a page shown in training may be one of theirs, but what is shown
is never learnt, only what the assistant says; so no line of theirs is copied, and no sentence that describes
a function to train on, under whatever name, is asked for again.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nextword.common.dialogue import conversation_record, read_conversations, write_conversations
from nextword.common.errors import BadInput
from nextword.common.files import check_replaceable, folder_written_atomically, write_json
from nextword.common.progress import Progress
from nextword.common.provenance import write_provenance
from nextword.common.records import Conversation, Message, digest, is_held_out
from nextword.data.copying import Sources, copying_rows, lines_of
from nextword.data.facts import Fact, read_facts
from nextword.data.own_text import own_conversations, own_documents
from nextword.data.phrases import LANGUAGES, NOT_THERE
from nextword.data.questions import (
    TYPES,
    Asked,
    Question,
    QuestionSettings,
    asked,
    balanced,
    worded,
    write_questions,
)

SOURCE = "python-docs"
HELDOUT_SHARE = 0.1
"""Held-out conversations, as a share of those to train on."""
QUESTIONS, TO_LEARN, FURTHER = (f"questions.{name}.jsonl" for name in ("heldout", "train", "further"))
OURS = (
    "seed.json",
    "run.json",
    QUESTIONS,
    TO_LEARN,
    FURTHER,
    *(f"{name}.jsonl" for name in ("train", "heldout", "own", "searched")),
)
"""The files of a `seed` folder, that of a later stage included: one with others in it is never replaced."""
NAME = re.compile(
    r"(?<![\w.])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)|(?<![\w.])([A-Za-z_]\w*)(?=\()|`([A-Za-z_]\w*)`"
)
"""A function as people write it: with its module, called, or as code. `list` alone is a word."""
TRIES = 20
"""Other pages looked at for one that does not hold the answer."""


def seed_conversations(
    settings: QuestionSettings,
    crawl: Path,
    out: Path,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Write the seed data of a crawl of pydoc's site into `out`; returns what seed.json says.

    Raises BadInput when the crawl has no such pages, or `out` holds what is not an earlier output.
    """
    begun = clock()
    check_replaceable(out, OURS, inputs=[crawl])
    facts = read_facts(crawl, progress)
    if not facts:
        do = "collect python-docs, or use `nextword propose` for other documents"
        raise BadInput("has no pages of Python documentation", where=crawl, do=do)
    own = [each for path in own_conversations() for each in read_conversations(path)]
    to_train, to_ask = _split(list(asked(facts, settings.excerpt)), own, settings.heldout_percent)
    train = _chosen(to_train, _questions(settings), settings)
    held = _chosen(to_ask, settings.heldout_questions, settings)
    sources = _sources(train, held)
    few = round(settings.conversations * HELDOUT_SHARE)
    made = {
        "train": mixed(train, sources, settings.conversations, settings),
        "heldout": mixed(held, sources, few, settings),
        "own": own,
    }
    found = {
        "facts": len(facts),
        "functions": {"train": _functions(to_train), "heldout": _functions(to_ask)},
        "askable": dict(Counter(each.type for each in (*to_train, *to_ask))),
        "questions": {"train": counted(train), "heldout": counted(held)},
        **{name: forms(conversations) for name, conversations in made.items()},
        "seconds": round(clock() - begun, 1),
    }
    further = _further(to_train, settings)
    write_seed(out, settings, made, train, held, further, found, crawl=crawl)
    return found


def write_seed(
    out: Path,
    settings: QuestionSettings,
    made: Mapping[str, Sequence[Conversation]],
    train: Sequence[Question],
    held: Sequence[Question],
    further: Sequence[Question],
    found: Mapping[str, Any],
    **inputs: Path,
) -> None:
    """Write a seed folder: conversations by name, questions to train on, held out and to go on with, what was
    found.

    inputs: what it was made from, by name, for the provenance; none of it is ever replaced.
    """
    with folder_written_atomically(out, OURS, inputs=inputs.values()) as folder:
        for name, conversations in made.items():
            write_conversations(folder / f"{name}.jsonl", conversations)
        write_questions(folder / QUESTIONS, held)
        write_questions(folder / TO_LEARN, train)
        write_questions(folder / FURTHER, further)
        write_provenance(folder / "run.json", settings, **{name: str(path) for name, path in inputs.items()})
        write_json(folder / "seed.json", found)


def mixed(
    questions: Sequence[Question], sources: Sources, count: int, settings: QuestionSettings
) -> list[Conversation]:
    """At most `count` conversations of all forms, in an order that a hash decides."""
    rng = random.Random(f"{settings.seed}:{count}:{len(questions)}")
    copies = round(count * settings.copying)
    rest = max(1e-9, 1 - settings.copying)
    others = Pages(questions, rng)
    rows = []
    for question in questions[: count - copies]:
        at = int(digest(f"{settings.seed}:form:{question.id}")[:8], 16) / 2**32
        if at < settings.closed_book / rest:
            rows.append(closed_book(question))
        elif at < (settings.closed_book + settings.wrong_page) / rest:
            rows.append(wrong_page(question, others.other_than(question)))
        else:
            rows.append(open_book(question))
    rows += copying_rows(sources, copies, rng)
    rng.shuffle(rows)
    return rows


def closed_book(question: Question, source: str = SOURCE) -> Conversation:
    """The question and its answer, from memory."""
    return _conversation(question, "closed-book", "", question.answer, source)


def open_book(question: Question, source: str = SOURCE) -> Conversation:
    """The question, the page that answers it, the answer."""
    return _conversation(question, "open-book", question.page, question.answer, source)


def wrong_page(question: Question, page: str, source: str = SOURCE) -> Conversation:
    """The question, a page that does not answer it, and an answer that says so."""
    return _conversation(question, "wrong-page", page, NOT_THERE[question.lang], source)


class Pages:
    """Finds a page that does not answer a question: every other time one of the same module."""

    def __init__(self, questions: Sequence[Question], rng: random.Random) -> None:
        self.questions, self.rng = questions, rng
        self._of: dict[str, list[Question]] = defaultdict(list)
        for question in questions:
            self._of[question.url].append(question)

    def other_than(self, question: Question) -> str:
        """A page without the name asked for and without the answer."""
        name = question.function_id.rpartition(".")[2]
        near = self._of[question.url] if question.type != "module" and self.rng.random() < 0.5 else []
        for attempt in range(TRIES):
            page = self.rng.choice(near if near and attempt < TRIES // 2 else self.questions).page
            if name not in page and not any(gold in page for gold in question.gold[:1]):
                return page
        return "Nothing was found."


def _conversation(question: Question, form: str, page: str, answer: str, source: str) -> Conversation:
    tool = [Message("tool", page, name="search")] if page else []
    meta = {
        "source": source, "form": form, "type": question.type, "lang": question.lang,
        "question": question.id, "function": question.function_id, "url": question.url,
    }  # fmt: skip
    return Conversation([Message("user", question.text), *tool, Message("assistant", answer)], meta=meta)


def _split(
    every: Sequence[Asked], own: Sequence[Conversation], percent: float
) -> tuple[list[Asked], list[Asked]]:
    """(what may be learnt, what is held out), by function; nothing that people's conversations name is."""
    named = names_in(own)
    is_out = {
        each.fact.id: is_held_out(each.fact.id, percent) and not is_named(each.fact, named) for each in every
    }
    train = [each for each in every if not is_out[each.fact.id]]
    told = {each.value for each in train if each.type == "description"}
    held = (each for each in every if is_out[each.fact.id])
    return train, [each for each in held if each.type != "description" or each.value not in told]


def names_in(conversations: Iterable[Conversation]) -> set[str]:
    """What conversations call by name: `json.load`, sorted(), `deque`; each also without its module."""
    texts = (str(message.content) for each in conversations for message in each.messages)
    found = {name for text in texts for match in NAME.findall(text) for name in match if name}
    return found | {name.rpartition(".")[2] for name in found}


def is_named(fact: Fact, names: set[str]) -> bool:
    """Whether conversations with these names speak of a thing, or of one that is called the same."""
    return fact.id in names or fact.short in names


def _questions(settings: QuestionSettings) -> int:
    """How many questions the conversations to train on need."""
    return settings.conversations - round(settings.conversations * settings.copying)


def _chosen(every: Sequence[Asked], count: int, settings: QuestionSettings) -> list[Question]:
    """About `count` questions, as many of each type, every one in both languages; a hash orders them."""
    per_type = -(-count // (len(TYPES) * len(LANGUAGES)))
    chosen = balanced(every, per_type, settings)
    chosen.sort(key=lambda each: digest(f"{settings.seed}:order:{each.id}"))
    found = (worded(each, lang, settings.excerpt) for each in chosen for lang in LANGUAGES)
    return [question for question in found if question][: count - count % len(LANGUAGES)]


def _further(every: Sequence[Asked], settings: QuestionSettings) -> list[Question]:
    """Whatever else may be asked, of any page as often as there is something to ask; without the page."""
    settings = replace(settings, page_questions=len(every) or 1)
    chosen = _chosen(every, len(LANGUAGES) * len(TYPES) * len(every), settings)
    return [replace(one, excerpt="") for one in chosen]


def _sources(train: Sequence[Question], held: Sequence[Question]) -> Sources:
    """Lines of the pages shown in training, less those of pages that are held out; Korean ones of our own."""
    kept = set(lines_of([question.excerpt for question in held]))
    english = lines_of([question.excerpt for question in train])
    korean = [document.text for document in own_documents() if document.lang == "ko"]
    return Sources({"en": [line for line in english if line not in kept], "ko": lines_of(korean)})


def _functions(every: Iterable[Asked]) -> int:
    return len({each.fact.id for each in every})


def counted(questions: Iterable[Question]) -> dict[str, Any]:
    """By type and language, and the most common answer of each type with its share."""
    by_type: dict[str, Counter[str]] = defaultdict(Counter)
    languages: Counter[str] = Counter()
    for question in questions:
        by_type[question.type][question.gold[-1]] += 1
        languages[question.lang] += 1
    shares = {
        type: {
            "questions": (total := answers.total()),
            "answers": len(answers),
            "most common": {each: round(n / total, 3) for each, n in answers.most_common(3)},
        }
        for type, answers in by_type.items()
    }
    return {"languages": dict(languages), "types": shares}


def forms(conversations: Sequence[Conversation]) -> dict[str, Any]:
    """Conversations and their bytes by form, type and language; people's have a kind in place of a form."""
    counts: dict[str, Counter[str]] = {"form": Counter(), "type": Counter(), "lang": Counter()}
    sizes: dict[str, Counter[str]] = {"form": Counter(), "type": Counter(), "lang": Counter()}
    for each in conversations:
        size = len(json.dumps(conversation_record(each), ensure_ascii=False).encode()) + 1
        meta = {"form": "own", "type": each.meta.get("kind", ""), **each.meta}
        for key in counts:
            counts[key][meta[key]] += 1
            sizes[key][meta[key]] += size
    by = {
        key: {value: {"conversations": n, "bytes": sizes[key][value]} for value, n in sorted(counted.items())}
        for key, counted in counts.items()
    }
    return {"conversations": len(conversations), "bytes": sizes["form"].total(), **by}
