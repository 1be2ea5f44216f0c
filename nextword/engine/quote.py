"""Quoting: an answer that can only be a verbatim piece of a page.

A small model that has read a page in its prompt still writes what it remembers rather than what stands
there: in a trial it answered 91 of 150 questions with the page before it, and 133 when its answer was held
to the page. So the model is let to write as it likes until it opens a quotation mark, and from there on only
two kinds of tokens are allowed: those that go on verbatim from some place in the page, and those that close
the quotation mark. A few beginnings go on side by side, each with the likeliest token that is allowed, and
the best whole quote wins: a beginning may be likely and lead nowhere that the model would go.

The rule is about bytes, not tokens, since a page is rarely cut into tokens the way an answer is (a token may
begin before the quote and end after it: `."`). A trie of the vocabulary finds the allowed tokens at a place
in a few steps, whatever the vocabulary's size. The places still possible are kept together, so a quote that
stands twice in the page is one candidate. A quote may begin with the space before its first word, which it
is then rid of: small models copy a page's tokens, and there the space belongs to the word.

The text between the marks is data that someone else wrote: it is returned with its place, to be shown as a
quotation and linked, never to be obeyed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
SPACES = b" \t\r\n\f\v"
BEGINNINGS, HOPELESS = 4, 5.0
"""Beginnings that go on side by side, but none that is so many nats less likely than the likeliest."""


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
            side_by_side = min(BEGINNINGS, driver.rows(len(prompt) + room))
            return self._answer(batch, logits[0], page, room, side_by_side)
        finally:
            batch.close()

    @cached_property
    def _trie(self) -> _Trie:
        return _Trie(self.model.vocabulary)

    def _answer(
        self, batch: Batch, logits: Logits, page: str, room: int, side_by_side: int
    ) -> Quote | Unquoted:
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
        begun = self._begun(logits, page.encode("utf-8", "surrogatepass"))[:side_by_side]
        return self._quoted(batch, begun, page, lead.decode("utf-8", "replace"), min(LONGEST, room - 2))

    def _opened(self, batch: Batch, before: bytes) -> Logits:
        """Write a quotation mark in the model's place."""
        logits: Any = None
        for id in self.model.vocabulary.encode(before.decode("utf-8", "replace") + MARK.decode()):
            logits = batch.step([id])[0]
        return logits  # type: ignore[no-any-return]

    def _quoted(self, batch: Batch, begun: list[_Begun], page: str, lead: str, room: int) -> Quote:
        """The best of the quotes that have begun, each with one token that is yet to be read."""
        if not begun:  # the page has nothing to quote
            return Quote("", 0, 0, lead, 0.0)
        text = page.encode("utf-8", "surrogatepass")
        going = begun
        batch.keep([0] * len(begun))
        for _ in range(room - 1):
            rows = batch.step([one.token for one in going])
            on = [n for n, one in enumerate(going) if self._goes_on(one, rows[n], text)]
            if not on:
                break
            if len(on) < len(going):
                batch.keep(on)
                going = [going[n] for n in on]
        whole = [one for one in begun if one.end is not None]
        best = max(whole or begun, key=lambda one: one.score)  # one that never closed, if need be
        start, end = (len(text[:n].decode("utf-8", "replace")) for n in best.place)
        start += len(page[start:end]) - len(page[start:end].lstrip())
        return Quote(page[start:end], start, end, lead, float(np.mean(best.among)))

    def _begun(self, logits: Logits, text: bytes) -> list[_Begun]:
        """The likeliest beginnings."""
        onward, _ = self._trie.allowed(text, _beginnings(text), may_close=False)
        chances = self._chances(logits)
        first = sorted(onward, key=lambda id: -chances[id])[:BEGINNINGS]
        begun = []
        for id in first:
            if chances[id] >= chances[first[0]] - HOPELESS:
                begun.append(_Begun({end: begin for begin, end in onward[id]}, id))
                begun[-1].take(id, chances, list(onward))
        return begun

    def _chances(self, logits: Logits) -> NDArray[np.float64]:
        return log_softmax(logits[: self.model.vocabulary.vocab_size])

    def _goes_on(self, one: _Begun, logits: Logits, text: bytes) -> bool:
        """Take the likeliest token that is allowed; False when it closed the quote, or there is none."""
        onward, closing = self._trie.allowed(text, one.places, may_close=True)
        allowed = [*onward, *closing]
        if not allowed:
            return False
        chances = self._chances(logits)
        chosen = max(allowed, key=lambda id: chances[id])
        one.take(chosen, chances, allowed)
        if chosen in closing:
            place, one.end = closing[chosen]
            one.places = {one.end: one.places[place]}
            return False
        one.places = {end: one.places[begin] for begin, end in onward[chosen]}
        return True


@dataclass
class _Begun:
    """A quote on its way. places: where it may be in the page now, and where it began then."""

    places: dict[int, int]
    token: int
    end: int | None = None
    chances: list[float] = field(default_factory=list)
    """ln p of each token."""
    among: list[float] = field(default_factory=list)
    """The same, of what was allowed."""

    def take(self, token: int, chances: NDArray[np.floating], allowed: Sequence[int]) -> None:
        """Go on with a token."""
        self.token = token
        self.chances.append(float(chances[token]))
        self.among.append(float(chances[token] - np.logaddexp.reduce(chances[allowed])))

    @property
    def place(self) -> tuple[int, int]:
        """Where it begins and ends in the page."""
        end, begin = next(iter(self.places.items()))
        return begin, end

    @property
    def score(self) -> float:
        """ln p of the whole over the root of its tokens: between the sum, which likes few, and the mean."""
        return sum(self.chances) / math.sqrt(len(self.chances))


def _beginnings(text: bytes) -> list[int]:
    """Where a quote may begin: at the first letter of a word or a sign, or at the space before it."""
    found, within = [], False
    for place, byte in enumerate(text):
        is_word = _is_word(byte)
        if byte in SPACES:
            may_begin = text[place + 1 : place + 2].strip(SPACES) != b""
        else:
            may_begin = not (is_word and within)
        if may_begin:
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
        self, text: bytes, places: Iterable[int], may_close: bool
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
