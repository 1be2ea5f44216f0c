"""A model with pages at hand, as a stage of an evaluation: it searches, reads and quotes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nextword.common.language_model import LanguageModel
from nextword.evaluate.exam import Reply
from nextword.evaluate.stages import Lookup, Stage
from nextword.tools.answering import Answerer
from nextword.tools.search import Index


def with_pages(model: Callable[[], LanguageModel], pages: Path, name: str = "with pages") -> Stage:
    """The stage of this model answering from the search index at `pages`; both are opened when it sits.

    Raises BadInput at once where there is no such index, and not after the other stages have sat for hours.
    """
    Index.open(pages).close()
    return Stage(name, lookup=lambda: lookup(Answerer(model(), Index.open(pages))))


def lookup(answerer: Answerer) -> Lookup:
    """What an evaluation asks: the answer to a question, and the page that it quotes."""

    def ask(question: str) -> Reply:
        answer = answerer.answer(question)
        return Reply(answer.text, url=answer.url)

    return ask
