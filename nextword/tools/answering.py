"""Answers from pages at hand: search, show the model each passage found, and quote the one that answers.

The first passage that the model quotes from wins, unless a later one is quoted with much more certainty:
search is right first more often than a small model knows what it reads. Each answer says where it stands, so
a person can look; when no passage is quoted, the answer says that the pages do not tell.
"""

from __future__ import annotations

from dataclasses import dataclass

from nextword.common.errors import BadInput
from nextword.common.language_model import LanguageModel
from nextword.common.records import Conversation, Message
from nextword.data.phrases import NOT_THERE
from nextword.data.sentences import is_korean
from nextword.engine.quote import Quote, Quoter, TooLong
from nextword.tools.search import Hit, Index

PASSAGES = 3
"""Passages shown to the model, one at a time."""
MUCH_SURER = 1.0
"""Nats of a token's probability that make up for standing lower in the search's order."""


@dataclass(frozen=True)
class Answer:
    """What was said, and where it stands: `hit` is the passage, `start` and `end` the place in its page."""

    text: str
    hit: Hit | None = None
    quote: str = ""
    start: int = 0
    end: int = 0
    logprob: float = 0.0

    @property
    def url(self) -> str:
        """The page that was quoted; "" where none was."""
        return self.hit.url if self.hit else ""


class Answerer:
    """Answers questions by a model on this machine from an index of pages."""

    def __init__(self, model: LanguageModel, index: Index, passages: int = PASSAGES) -> None:
        self.index, self.passages, self._quoter = index, passages, Quoter(model)

    def answer(self, question: str) -> Answer:
        """Search, read, quote."""
        return self.answer_from(question, self.index.search(question, self.passages))

    def answer_from(self, question: str, hits: list[Hit]) -> Answer:
        """Quote the best of these passages; BadInput where none of them fits the model's context."""
        best: Answer | None = None
        too_long: list[TooLong] = []
        for hit in hits:
            try:
                found = self._from(question, hit)
            except TooLong as error:  # the next passage may be shorter
                too_long.append(error)
                continue
            if found and (best is None or found.logprob > best.logprob + MUCH_SURER):
                best = found
        if hits and len(too_long) == len(hits):
            what = f"none of the {len(hits)} passages found could be read: {too_long[0].what}"
            raise BadInput(what, do="ask a shorter question, or a model with a longer context")
        return best or Answer(NOT_THERE["ko" if is_korean(question) else "en"])

    def _from(self, question: str, hit: Hit) -> Answer | None:
        page = shown(hit)
        quote = self._quoter.quote(asked(question, page), page)
        if not isinstance(quote, Quote) or not quote.text.strip():
            return None
        offset = hit.start - (len(page) - len(hit.text))  # a quote from the title lies before the passage
        start, end = (max(hit.start, place + offset) for place in (quote.start, quote.end))
        return Answer(quote.answer, hit, quote.text, start, end, quote.logprob)


def asked(question: str, page: str) -> Conversation:
    """A question, and a page as search gave it: untrusted text, so it stands in a tool's message."""
    return Conversation([Message("user", question), Message("tool", page, name="search")])


def shown(hit: Hit) -> str:
    """A passage as the model is shown it: the page's title, the heading it stands under, the text."""
    return "\n".join(filter(None, (hit.title, hit.heading, hit.text)))
