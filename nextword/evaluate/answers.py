"""Is this answer right? Decided by machine, the same way for evaluation and for reinforcement learning.

An answer claims what it puts in quotation marks first, or, without any, all that it says. The claim is held
against the accepted answers, and what "the same" means depends on the question:

    description             the words, whatever the markup around them
    signature, parameters   what stands between the parentheses, or the same names in the same order
    default                 the value; naming two values is no answer
    module                  the dotted name
    kind                    the heading, or the one kind that is named: a static method is not a method
    quote                   the sentence of the page, whatever the markup (questions that were proposed)

A policy that is rewarded by this will look for ways around it. The obvious one, saying everything at once, is
closed: beside the accepted words a claim may have SLACK more. Case counts, except in prose; a model that says
`none` has not read the page.

`token_f1` is SQuAD's measure (Rajpurkar et al. 2016, equation in section 4.2): lower case, no punctuation, no
articles, words counted as a bag. A Hangul syllable is a word of its own, as in KorQuAD (Lim et al. 2019),
since Korean particles stick to the words they follow. A text that is all punctuation, such as `()`, keeps it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

from nextword.data import phrases
from nextword.data.questions import Question
from nextword.data.signature import argument_text, parameters

QUOTED = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|「([^」\n]+)」")
SLACK = 12
"""Words that a right claim may have beside the accepted ones."""

ARTICLES = frozenset(("a", "an", "the"))
TOKEN = re.compile(r"[\uac00-\ud7a3]|[^\W\uac00-\ud7a3]+")
NAME = re.compile(r"[^\W\d]\w*(?:\.\w+)*", re.ASCII)
LITERAL = re.compile(r"(?<![\w.'])(?:None|True|False|-?\d+(?:\.\d+)?(?:e-?\d+)?|'[^']*')(?![\w'])", re.ASCII)
"""ASCII, so that a Korean particle or ending (`None입니다`, `p와`) is no part of the name before it."""
LABELS = {phrase: kind for kind, phrase in phrases.NOUNS.items()} | {kind: kind for kind in phrases.NOUNS}
LABEL = re.compile("|".join(sorted(map(re.escape, LABELS), key=len, reverse=True)), re.IGNORECASE)


def is_right(question: Question, answer: str) -> bool:
    """Whether an answer to the question says what the page says."""
    said = unicodedata.normalize("NFC", answer).strip()
    return bool(said) and CHECKS[question.type](question, said)


def claimed(answer: str) -> str:
    """What an answer puts forward: its first quotation, or all of it.

    >>> claimed('"n=None", so the default is None.'), claimed("It is None.")
    ('n=None', 'It is None.')
    """
    found = QUOTED.search(answer)
    return next(group for group in found.groups() if group) if found else answer.strip()


def token_f1(answer: str, gold: Sequence[str]) -> float:
    """How far the claim's words are those of the nearest accepted answer, 0 to 1."""
    said = claimed(answer)
    return max((words_f1(said, each) for each in gold), default=0.0)


def words_f1(said: str, wanted: str) -> float:
    """The words that two texts share, quotations and all: the harmonic mean of precision and recall."""
    ours, theirs = tokens(said), tokens(wanted)
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * shared / (len(ours) + len(theirs)) if shared else 0.0


def tokens(text: str) -> list[str]:
    """The words that F1 counts.

    >>> tokens("The 기본값은 None!"), tokens("()")
    (['기', '본', '값', '은', 'none'], ['()'])
    """
    lower = unicodedata.normalize("NFC", text).lower()
    found = [word for word in TOKEN.findall(lower) if word not in ARTICLES]
    return found or lower.split()


def _description(question: Question, answer: str) -> bool:
    said = _plain(claimed(answer))
    return any(_plain(gold) in said and _is_brief(said, _plain(gold)) for gold in question.gold)


def _signature(question: Question, answer: str) -> bool:
    said = claimed(answer)
    for gold in question.gold:
        inside = argument_text(said)
        if inside is not None and _packed(inside) == _packed(argument_text(gold) or ""):
            return _is_brief(said, gold)
    return False


def _parameters(question: Question, answer: str) -> bool:
    said = claimed(answer)
    as_shown, wanted = question.gold[0], question.gold[-1].split(", ")
    inside = argument_text(said) if "(" in said.partition(",")[0] else said
    if _packed(inside or "") == _packed(as_shown):
        return True
    listed = [each.name for each in parameters(f"({inside})") if each.name not in ("self", "cls")]
    if listed or said != answer:
        return listed == wanted
    named = [name for name in NAME.findall(said) if name in wanted]
    return list(dict.fromkeys(named)) == wanted and _is_brief(said, question.gold[-1])


def _default(question: Question, answer: str) -> bool:
    said, value = claimed(answer), question.gold[-1]
    if any(_packed(said) == _packed(gold) for gold in question.gold):
        return True
    if said != answer:
        return said == value.strip("'") != ""
    stands = re.search(rf"(?<![\w.'-]){re.escape(value)}(?!\w|\.\w)", said, re.ASCII)
    others = {each for each in LITERAL.findall(said) if each != value and each not in value}
    return bool(stands) and not others and _is_brief(said, value)


def _module(question: Question, answer: str) -> bool:
    said = claimed(answer)
    if said != answer:
        return said.strip().partition(" ")[0] in question.gold
    asked = question.function_id.rpartition(".")[2]
    named = [name for name in NAME.findall(said) if name in question.gold or ("." in name and name != asked)]
    return bool(named) and all(name in question.gold for name in named) and _is_brief(said, named[0])


def _kind(question: Question, answer: str) -> bool:
    heading, kind = question.gold[0], question.gold[-1]
    said = claimed(answer)
    if said != answer and said.rstrip(":") == heading:
        return True
    named = {LABELS[found.lower()] for found in LABEL.findall(answer.replace(question.function_id, ""))}
    return named == {kind} and _is_brief(answer, kind)


CHECKS: dict[str, Callable[[Question, str], bool]] = {
    "description": _description,
    "signature": _signature,
    "parameters": _parameters,
    "default": _default,
    "module": _module,
    "kind": _kind,
    "quote": _description,
}


def _plain(text: str) -> str:
    """Prose without markup, case and line breaks."""
    return " ".join(re.sub(r"[`*]", "", text).lower().split())


def _packed(text: str) -> str:
    """Code without its spaces."""
    return "".join(text.split())


def _is_brief(said: str, gold: str) -> bool:
    return len(said.split()) <= len(gold.split()) + SLACK
