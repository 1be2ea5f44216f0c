"""Comparisons without people: the assistant answers questions several times, and a rule says which is best.

    OUT/answers.jsonl      each question with its answers, as the labelling database reads them
    OUT/labels.db          the labelling database: tasks, the rule's labels, the audit
    OUT/comparisons.jsonl  chosen and rejected answers, for the reward model and for alignment

The rule stands in for people where there are none, in `make` and in tests. It knows the answer that the seed
data holds, and says which answer is best: the one that shares most words with it (token F1 of the whole
answer), which also speaks against saying more than was asked. Which of two wrong answers is the better one it
does not say, since who learns from comparisons learns to say what was chosen. Asked is what a page answers:
of what it should know by heart a small model can only learn to sound sure. Some of it is what people wrote
answers to (who are you, please do what I should not): a model that is only asked about pages forgets how to
refuse. What it was finetuned on it is asked last: there its answers are right by heart, and tell little of
what it gets wrong.

What is compared are answers of the model, the known answer (as people's demonstrations were compared by
Stiennon et al. 2020: a small model seldom writes a right and a wrong answer to one question), and wrong
answers that cost nothing to make: the right answer to another question about the same entry (how it is called
where it was asked what it does, which is what a small model gets wrong most), and misquotations, the known
answer with other words of the page in its quotation, or that the page does not say.

The rule works at the desk as a person does, under the name `rule:f1`, which stands on every record. Held-out
questions are marked by another rule (evaluate/answers.py), so that an evaluation does not ask the labeller
whether the labeller was right.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from nextword.common.dialogue import plain, read_conversations
from nextword.common.errors import BadInput
from nextword.common.language_model import LanguageModel, Sampling
from nextword.common.progress import Progress
from nextword.common.records import Conversation, digest, write_records
from nextword.common.settings import check_ranges, option
from nextword.data.phrases import NOT_THERE
from nextword.data.questions import Question, read_questions
from nextword.data.seed import FURTHER
from nextword.evaluate.answers import claimed, words_f1
from nextword.evaluate.exam import answers
from nextword.label.guide import own_guide
from nextword.label.office import Office
from nextword.label.project import ProjectSettings
from nextword.label.rule import RuleLabeller

PART = re.compile(r"[^\s(),]+(?: ?= ?[^\s(),]+)?|\([^()\n]*\)")
"""A piece of a line: a name, a name and its default, or what stands between parentheses."""
FROM_MEMORY = "closed-book"
"""The form of questions that are asked without a page."""
MOST_ANSWERS = 4
"""That a person is asked to compare at once."""
KNOWN = "seed"
MISQUOTED = "misquotation"
CONFUSED = "confusion"
"""By whom answers are said to be that the model did not give."""
Others = Mapping[tuple[str, str], Sequence[Question]]
"""Questions by the function and the language that they ask about and in."""


@dataclass(frozen=True)
class ComparingSettings:
    """What is asked, and how often."""

    questions: int = option(256, "questions answered, at most", least=1)
    learnt: int = option(
        0, "first conversations of the seed data, which come last since they were learnt", least=0
    )
    answers: int = option(1, "own answers to each, which are then compared", least=1, most=4)
    own: float = option(0.1, "share of them that people wrote the answers to", least=0, most=1)
    known: bool = option(True, "the known answer is compared with them")
    wrong: int = option(
        2, "wrong answers made from the page, one of them to another question; four in all", least=0, most=3
    )
    temperature: float = option(1.0, "how freely they are drawn", above=0)
    answer_tokens: int = option(48, "tokens of an answer, at most", least=1)
    close: float = option(0.0, "difference in F1 to the best that is a tie", least=0, most=1)
    name: str = option("assistant", "what the answers are said to be by")
    seed: int = option(0, "of the choice of questions and of the answers")

    def __post_init__(self) -> None:
        check_ranges(self)


def compared_by_rule(
    settings: ComparingSettings,
    model: LanguageModel,
    seed_data: Path,
    out: Path,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Answer questions of the seed data, have the rule compare, write the comparisons; returns counts.

    Begins anew each time: OUT is replaced. Raises BadInput when the seed data asks nothing, or when the
    answers to no question differ.
    """
    asked = questions(settings, seed_data)
    if not asked:
        raise BadInput("no question with an answer", where=seed_data)
    shutil.rmtree(out, ignore_errors=True)
    rows = list(_answered(settings, model, asked, _others(seed_data), progress))
    if not rows:
        raise BadInput("the model has one answer to each question", do="draw with a higher temperature")
    write_records(out / "answers.jsonl", rows)
    known = {_key(plain(one.messages[:-1])): str(one.messages[-1].content) for one in asked}
    with Office.open(str(out / "labels.db"), lambda: datetime.now(UTC)) as office:
        owner = office.people.found("make", secrets.token_urlsafe(32))
        project = office.projects.create(
            owner, "default", own_guide(), ProjectSettings(blind_share=0.0), ()
        ).id
        made = office.intake.read(owner, project, out / "answers.jsonl", kind="compare")
        rule = RuleLabeller(
            office.people,
            office.desk,
            owner,
            "f1",
            _Rule(known),
            good=0.0,
            close=settings.close,
            only_best=True,
        )
        labelled = rule.work(project)
        version = office.datasets.cut(owner, project, "comparisons", "comparisons", out / "comparisons.jsonl")
    return {"questions": len(asked), "tasks": made.made, "labelled": labelled, "comparisons": version.records}


def questions(settings: ComparingSettings, seed_data: Path) -> list[Conversation]:
    """Conversations of the seed data that ask and answer once, by a hash: the same ones for a seed."""
    seed, most = settings.seed, settings.questions
    own = [one for one in _read(seed_data / "own.jsonl") if _answers(one) == 1]
    own = _drawn(own, round(settings.own * most), seed)
    train = list(_read(seed_data / "train.jsonl"))
    parts = (train[settings.learnt :], train[: settings.learnt])
    shown = [one for part in parts for one in _drawn(list(filter(_is_about_page, part)), None, seed)]
    return _drawn([*own, *shown[: most - len(own)]], None, seed)


def _drawn(found: list[Conversation], most: int | None, seed: int) -> list[Conversation]:
    """At most so many with different prompts, in an order that a hash decides."""
    by_prompt = {_key(plain(one.messages[:-1])): one for one in found}
    order = sorted(by_prompt, key=lambda key: digest(f"compared:{seed}:{key}"))
    return [by_prompt[key] for key in order[:most]]


def _read(path: Path) -> Iterator[Conversation]:
    yield from read_conversations(path) if path.exists() else ()


def _answers(one: Conversation) -> int:
    """How often the assistant speaks in it; 0 where it has not the last word."""
    said = [each.role == "assistant" for each in one.messages]
    return sum(said) if said[-1] else 0


def _is_about_page(one: Conversation) -> bool:
    return bool(one.meta.get("question")) and one.meta.get("form") != FROM_MEMORY


def misquoted(one: Conversation, manners: Mapping[tuple[str, str], str]) -> list[str]:
    """The known answer with other words of the page in its quotation, those of like length first.

    Where the page does not tell, as if it did, in the words in which the others are answered; where it does,
    in every third one, second, that it does not: what is only ever right, or only ever wrong, would be
    believed to be so. manners: (type, language) to an answer that quotes.
    """
    answer, page = str(one.messages[-1].content), str(one.messages[-2].content)
    lang = str(one.meta.get("lang", ""))
    denial = {str(name): text for name, text in NOT_THERE.items()}.get(lang)
    if one.messages[-2].role != "tool":
        return []
    is_denied = answer == denial
    manner = manners.get((str(one.meta.get("type", "")), lang), "") if is_denied else answer
    quote = claimed(manner)
    if quote == manner or (quote not in page and not is_denied):
        return []
    places = dict.fromkeys(place.strip() for place in (*page.split("\n"), *PART.findall(page)))
    others = [place for place in places if place and place not in quote and quote not in place]
    others = [place for place in others if len(place) <= 2 * len(quote) + 8 and '"' not in place]
    others.sort(key=lambda place: (abs(len(place) - len(quote)), digest(quote + place)))
    texts = [manner.replace(quote, place, 1) for place in others]
    is_third = int(digest(f"denied:{_key(plain(one.messages))}")[:8], 16) % 3 == 0
    if denial and is_third and not is_denied:
        texts.insert(1, denial)
    return texts


def confused(one: Conversation, others: Others) -> list[str]:
    """Right answers to other questions about the same entry that the same page answers, by a hash."""
    meta, page = one.meta, str(one.messages[-2].content) if one.messages[-2].role == "tool" else ""
    asked = str(meta.get("question", ""))
    about = others.get((str(meta.get("function", "")), str(meta.get("lang", ""))), ())
    found = (other for other in about if other.type != meta.get("type") and other.gold[0] in page)
    known = claimed(str(one.messages[-1].content))
    told = (other for other in found if other.gold[0] not in known and known not in other.gold[0])
    return [each.answer for each in sorted(told, key=lambda other: digest(f"{asked}:confused:{other.id}"))]


def _others(seed_data: Path) -> Others:
    """What else may be asked of the pages, as the seed data has it."""
    path = seed_data / FURTHER
    found: dict[tuple[str, str], list[Question]] = defaultdict(list)
    for question in read_questions(path) if path.exists() else ():
        found[question.function_id, question.lang].append(question)
    return found


def manners_of(asked: Iterable[Conversation]) -> dict[tuple[str, str], str]:
    """An answer that quotes its page, for each type and language."""
    found: dict[tuple[str, str], str] = {}
    for one in asked:
        answer = str(one.messages[-1].content)
        if claimed(answer) != answer:
            found.setdefault((str(one.meta.get("type", "")), str(one.meta.get("lang", ""))), answer)
    return found


class _Rule:
    """How good an answer is: F1 with the one that is known."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = known

    def __call__(self, prompt: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
        return words_f1(str(answer[-1]["content"]), self.known[_key(prompt)])


def _answered(
    settings: ComparingSettings,
    model: LanguageModel,
    asked: list[Conversation],
    others: Others,
    progress: Progress | None,
) -> Iterator[dict[str, Any]]:
    """Each question with its different answers; those that are answered in one way only are left out."""
    draws = [Conversation(one.messages[:-1]) for one in asked for _ in range(settings.answers)]
    seeds = [settings.seed + number for number in range(len(draws))]
    sampling = Sampling(temperature=settings.temperature, max_new_tokens=settings.answer_tokens)
    replies = answers(model, draws, sampling, progress, seeds)
    manners = manners_of(asked)
    for at, one in enumerate(asked):
        given = replies[at * settings.answers : (at + 1) * settings.answers]
        texts = dict.fromkeys(reply.text.strip() for reply in given if reply.end in ("stop", "length"))
        texts.pop("", None)
        by = dict.fromkeys(islice(texts, MOST_ANSWERS - settings.known), settings.name)
        if settings.known:
            by.setdefault(str(one.messages[-1].content), KNOWN)
        wrong = dict.fromkeys(confused(one, others)[:1], CONFUSED)
        wrong |= dict.fromkeys(misquoted(one, manners), MISQUOTED)
        for text in islice(wrong, min(settings.wrong, MOST_ANSWERS - len(by))):
            by.setdefault(text, wrong[text])
        if len(by) >= 2:
            yield {
                "prompt": plain(one.messages[:-1]),
                "answers": [{"text": text, "by": name} for text, name in by.items()],
                "meta": dict(one.meta),
            }


def _key(prompt: list[dict[str, Any]]) -> str:
    return json.dumps(prompt, sort_keys=True)
