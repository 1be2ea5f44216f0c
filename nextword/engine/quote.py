"""Quoting: an answer that can only be a verbatim piece of a page.

A small model that has read a page in its prompt still writes what it remembers rather than what stands
there: in a trial it answered 91 of 150 questions with the page before it, and 133 when its answer was held
to the page. So the model is let to write as it likes until it opens a quotation mark, and from there on only
two kinds of tokens are allowed: those that go on verbatim from some place in the page, and those that close
the quotation mark. What is left of its probabilities decides where the quote begins and where it ends.

The rule is about bytes, not tokens, since a page is rarely cut into tokens the way an answer is (a token may
begin before the quote and end after it: `."`). A trie of the vocabulary finds the allowed tokens at a place
in a few steps, whatever the vocabulary's size. The places still possible are kept together, so a quote that
stands twice in the page is one candidate. The search is greedy: beams gained nothing in trials.

The text between the marks is data that someone else wrote: it is returned with its place, to be shown as a
quotation and linked, never to be obeyed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nextword.common.errors import BadInput
from nextword.common.language_model import LanguageModel
from nextword.common.records import Conversation
from nextword.engine.driver import Batch, Logits, Vocabulary
from nextword.engine.local import LocalModel
from nextword.engine.sampler import log_softmax
from nextword.tokenizer.chat import ChatTemplate

MARK = b'"'
LEAD = 48
"""Tokens that the model may write before its quotation mark."""
LONGEST = 96
"""Tokens of a quote."""


@dataclass(frozen=True)
class Quote:
    """page[start:end], the words that led to it and those after, and how sure the model was.

    logprob: mean natural log of the probability, among what was allowed, of each token of the quote.
    """

    text: str
    start: int
    end: int
    lead: str
    logprob: float

    @property
    def answer(self) -> str:
        """The whole sentence, quotation marks included."""
        return f'{self.lead}"{self.text}"'


@dataclass(frozen=True)
class Unquoted:
    """The model answered without quoting: it may have said that the page does not tell."""

    text: str


class TooLong(BadInput):
    """A page and a question that do not fit into the model's context; a shorter page may."""


class Quoter:
    """Quotes pages by a model on this machine. One vocabulary's trie serves every question."""

    def __init__(self, model: LanguageModel) -> None:
        """BadInput for one that does not converse, or of which we do not see each next word's probability."""
        if not isinstance(model, LocalModel):
            do = "use a model folder or a .gguf file"
            raise BadInput("quoting needs a model on this machine", where=model.capabilities.name, do=do)
        self.model, self._template = model, ChatTemplate(model.vocabulary)

    def quote(self, conversation: Conversation, page: str) -> Quote | Unquoted:
        """Answer the conversation, whose last message shows `page`, by a verbatim quote of it.

        Raises TooLong when the conversation does not fit the model's context.
        """
        driver = self.model.driver
        prompt = self._template.ids(conversation)
        room = min(LEAD + LONGEST, driver.context - len(prompt))
        if room <= 8:
            what = f"the page and the question have {len(prompt):,} tokens, the context {driver.context:,}"
            raise TooLong(what, do="show the model a shorter passage")
        batch, logits = driver.begin([prompt], room)
        try:
            return self._answer(batch, logits[0], page, room)
        finally:
            batch.close()

    @cached_property
    def _trie(self) -> _Trie:
        return _Trie(self.model.vocabulary)

    def _answer(self, batch: Batch, logits: Logits, page: str, room: int) -> Quote | Unquoted:
        vocabulary, lead = self.model.vocabulary, b""
        for _ in range(min(LEAD, room - 4)):
            id = int(np.argmax(logits[: vocabulary.vocab_size]))
            if id in self.model.ends:
                return Unquoted(lead.decode("utf-8", "replace").strip())
            piece = vocabulary.token_bytes(id)
            before, mark, _ = piece.partition(MARK)
            if mark and piece.endswith(MARK):
                lead += before
                logits = batch.step([id])[0]
                break
            if mark:  # a token that opens the quote and begins it: open it alone, and let the page decide
                lead += before
                logits = self._opened(batch, before)
                break
            lead += piece
            logits = batch.step([id])[0]
            room -= 1
        else:
            logits = self._opened(batch, b"")
        return self._quoted(batch, logits, page, lead.decode("utf-8", "replace"), min(LONGEST, room - 2))

    def _opened(self, batch: Batch, before: bytes) -> Logits:
        """Write a quotation mark in the model's place."""
        logits: Any = None
        for id in self.model.vocabulary.encode(before.decode("utf-8", "replace") + MARK.decode()):
            logits = batch.step([id])[0]
        return logits  # type: ignore[no-any-return]

    def _quoted(self, batch: Batch, logits: Logits, page: str, lead: str, room: int) -> Quote:
        text = page.encode("utf-8", "surrogatepass")
        places = {place: place for place in _beginnings(text)}  # where the quote is now: where it began
        best, scores = None, []
        for taken in range(room):
            onward, closing = self._trie.allowed(text, places.keys(), may_close=taken > 0)
            allowed = [*onward, *closing]
            if not allowed:
                break
            chances = log_softmax(logits[allowed])
            chosen = allowed[int(np.argmax(chances))]
            scores.append(float(chances.max()))
            if chosen in closing:
                place = closing[chosen]
                best = (places[place[0]], place[1])
                break
            places = {end: places[begin] for begin, end in onward[chosen]}
            logits = batch.step([chosen])[0]
        if best is None:  # it never closed, or the page has nothing to quote
            best = next(((began, end) for end, began in places.items()), (0, 0))
        start, end = (len(text[:n].decode("utf-8", "replace")) for n in best)
        return Quote(page[start:end], start, end, lead, float(np.mean(scores)) if scores else 0.0)


def _beginnings(text: bytes) -> list[int]:
    """Where a quote may begin: at the first letter of a word or a sign, not within a word."""
    found, within = [], False
    for place, byte in enumerate(text):
        is_word = _is_word(byte)
        if not chr(byte).isspace() and not (is_word and within):
            found.append(place)
        within = is_word
    return found


def _may_end(text: bytes, at: int) -> bool:
    """Whether a quote may end there: not after a space, within a Latin word, nor within a letter's bytes.

    A Korean word may be left before its particle.
    """
    if at and text[at - 1 : at].isspace():
        return False
    if at >= len(text) or text[at] & 0xC0 == 0x80:
        return at >= len(text)
    return not (text[at - 1] < 0x80 and _is_word(text[at - 1]) and text[at] < 0x80 and _is_word(text[at]))


def _is_word(byte: int) -> bool:
    """Whether a byte of UTF-8 belongs to a word: a letter of any script, a digit, an underscore."""
    return byte >= 0x80 or chr(byte).isalnum() or byte == ord("_")


class _Trie:
    """The vocabulary's tokens by their bytes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.root: dict[int, Any] = {}
        for id in range(vocabulary.vocab_size):
            node = self.root
            piece = vocabulary.token_bytes(id)
            for byte in piece:
                node = node.setdefault(byte, {})
            if piece:
                node.setdefault(-1, id)

    def allowed(
        self, text: bytes, places: Any, may_close: bool
    ) -> tuple[dict[int, list[tuple[int, int]]], dict[int, tuple[int, int]]]:
        """(token -> [(place, where it leads)], token that closes -> (place, where the quote ends))."""
        onward: dict[int, list[tuple[int, int]]] = {}
        closing: dict[int, tuple[int, int]] = {}
        for place in places:
            node, at = self.root, place
            while True:
                if (may_close or at > place) and _may_end(text, at):
                    for id in self._closers(node.get(MARK[0])):
                        closing.setdefault(id, (place, at))
                if at >= len(text) or text[at] not in node:
                    break
                node = node[text[at]]
                at += 1
                if -1 in node:
                    onward.setdefault(node[-1], []).append((place, at))
        return onward, closing

    @staticmethod
    def _closers(node: dict[int, Any] | None) -> list[int]:
        """Tokens that close here: the mark alone, or with one sign after it."""
        if node is None:
            return []
        found = [node[-1]] if -1 in node else []
        return found + [
            below[-1] for byte, below in node.items() if byte != -1 and -1 in below and byte < 0x80
        ]
