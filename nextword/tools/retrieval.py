"""Retrieval alone: what search answers without a model, which a finetuned one has to be better than.

Of the passage that search puts first, the sentence with the most of the question's terms, the earlier of two;
the page's title is none. It is what a person would read first, costs nothing to train, and on pages whose
sentences name what they are about it is hard to beat.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nextword.data.phrases import NOT_THERE
from nextword.data.sentences import is_korean, sentences_of
from nextword.tools.answering import Answer
from nextword.tools.search import Index
from nextword.tools.terms import asked_terms, terms

HEADING = re.compile(r"#{1,6} |[=\-~^]{3,}$")


def retrieved(question: str, index: Index) -> Answer:
    """The sentence that search alone would show, as a quotation with its passage."""
    hit = next(iter(index.search(question, 1)), None)
    if hit is None:
        return Answer(NOT_THERE["ko" if is_korean(question) else "en"])
    quote = best_sentence(question, hit.text, hit.title).replace('"', "'")
    return Answer(f'"{quote}"', hit, quote, hit.start, hit.end)


def best_sentence(question: str, passage: str, title: str = "") -> str:
    """The sentence of a passage that has the most of the question's terms.

    >>> best_sentence("How long is the loan period?", "# Loans\\nBring a card. The loan period is 14 days.")
    'The loan period is 14 days.'
    """
    wanted = set(asked_terms(question))
    found = [one for one in _sentences(passage) if one != title] or [passage.strip()]
    return max(found, key=lambda one: len(wanted.intersection(terms(one))))


def _sentences(passage: str) -> Iterator[str]:
    """Sentences of lines that go together: wrapped lines are indented alike, headings stand alone."""
    gathered: list[str] = []
    indent = -1
    for line in [*passage.splitlines(), ""]:
        text, starts = line.strip(), len(line) - len(line.lstrip())
        if not text or HEADING.match(text) or starts != indent:
            yield from sentences_of(" ".join(gathered))
            gathered, indent = [], starts
        if text and not HEADING.match(text):
            gathered.append(text)
