"""Pages at hand, as stages of an evaluation: a model that searches, reads and quotes, and search without one.

Only beside the second can one see what the first is worth (evaluate/helped.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nextword.common.language_model import LanguageModel
from nextword.evaluate.exam import Reply
from nextword.evaluate.helped import RETRIEVAL, WITH_PAGES
from nextword.evaluate.stages import Lookup, Stage
from nextword.tools.answering import Answer, Answerer
from nextword.tools.retrieval import retrieved
from nextword.tools.search import Index


def at_hand(model: Callable[[], LanguageModel], pages: Path) -> list[Stage]:
    """Retrieval alone, and this model with the same pages."""
    return [retrieval_alone(pages), with_pages(model, pages)]


def with_pages(model: Callable[[], LanguageModel], pages: Path, name: str = WITH_PAGES) -> Stage:
    """The stage of this model answering from the search index at `pages`; both are opened when it sits.

    Raises BadInput at once where there is no such index, and not after the other stages have sat for hours.
    """
    Index.open(pages).close()
    return Stage(name, lookup=lambda: lookup(Answerer(model(), Index.open(pages))))


def retrieval_alone(pages: Path, name: str = RETRIEVAL) -> Stage:
    """The stage that only searches the index at `pages`; raises BadInput as `with_pages` does."""
    Index.open(pages).close()

    def opened() -> Lookup:
        index = Index.open(pages)
        return lambda question: _reply(retrieved(question, index))

    return Stage(name, lookup=opened)


def lookup(answerer: Answerer) -> Lookup:
    """What an evaluation asks: the answer to a question, and the page that it quotes."""

    return lambda question: _reply(answerer.answer(question))


def _reply(answer: Answer) -> Reply:
    return Reply(answer.text, url=answer.url)
