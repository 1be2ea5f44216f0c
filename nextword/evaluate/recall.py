"""Recall: what lossy compression gives back. A true page's first lines go in; what comes out beside the rest?

The continuation is greedy, the model's one most likely text. Each word of it is one of three:

    memorised   it stands in a run of at least `run` words that the rest of the page has verbatim
    plausible   it does not, but the corpus has the word: real words in an order of the model's own
    invented    the corpus has no such word, name or number anywhere

"Memorised" is Carlini et al. 2023's extractable memorisation (a prefix of the training text makes the model
emit what follows it), with a run counted in words and not 50 tokens: a documentation page is short and made
of short lines. A run need not stand where the page has it, since small models find the paragraph and lose
their place. "Invented" compares a dotted name as a whole: `json.socket` is invented though both its parts are
real, which is what a hallucinated function looks like. "Plausible" says nothing about truth: a false sentence
made of real words is exactly what such a model dreams.

Two ratios go with it. The page's own: its bytes over the bytes that arithmetic coding under the model would
need (Deletang et al. 2024: a predictor is a compressor). And the whole: bytes of the corpus over bytes of the
parameters, which holds even the pages that cannot be recited.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from nextword.common.errors import BadInput
from nextword.common.language_model import Done, Failed, LanguageModel, Request, Sampling, Token
from nextword.common.settings import check_ranges, option

Kind = Literal["memorised", "plausible", "invented", "lost"]

WORD = re.compile(r"\w+(?:[.'-]\w+)*")
"""A word, a number or a dotted name, without the punctuation around it."""


@dataclass(frozen=True)
class RecallSettings:
    """How much is shown to the model, how much it says, and what counts as memorised."""

    lines: int = option(6, "how many of the page's first non-empty lines the model is given", least=1)
    tokens: int = option(200, "how many tokens it goes on for, as far as its context reaches", least=1)
    run: int = option(6, "words in a row that must stand in the page to count as memorised", least=1)

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Span:
    """A stretch of text of one kind; spans joined are the text."""

    text: str
    kind: Kind


@dataclass(frozen=True)
class Recall:
    """One page beside what the model gave back. In `true`, words are memorised or lost."""

    prompt: str
    said: tuple[Span, ...]
    true: tuple[Span, ...]
    page_bytes: int
    page_bits: float

    @property
    def compression(self) -> float:
        """How many times smaller the page is under the model's predictions; below 1 it has grown."""
        return 8 * self.page_bytes / self.page_bits

    def share(self, kind: Kind) -> float:
        """The part of the said words that are of this kind, 0 to 1."""
        kinds = [span.kind for span in self.said for _ in span.text.split()]
        return kinds.count(kind) / len(kinds) if kinds else 0.0


def recall(model: LanguageModel, page: str, known: frozenset[str], settings: RecallSettings) -> Recall:
    """What the model gives back of `page`; `known` are the corpus's words, from `words_of`.

    Raises BadInput for a page with nothing after its first lines, and whatever the model fails with.
    """
    prompt, rest = split_page(page, settings.lines)
    said = _continuation(model, prompt, settings.tokens)
    true = rest[: _end_of_word(rest, max(len(said), 1))]
    return Recall(
        prompt,
        tuple(colour(said, rest, known, settings.run)),
        tuple(recalled(true, said, settings.run)),
        len(page.encode()),
        page_bits(model, page),
    )


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """Every distinct word of the corpus in lower case; memory grows with the vocabulary, not the corpus."""
    return frozenset(word for text in texts for word in WORD.findall(text.lower()))


def split_page(page: str, lines: int) -> tuple[str, str]:
    """The first non-empty `lines` with their line breaks, and the rest."""
    kept = page.splitlines(keepends=True)
    seen = 0
    for number, line in enumerate(kept, 1):
        seen += bool(line.strip())
        if seen == lines and "".join(kept[number:]).strip():
            return "".join(kept[:number]), "".join(kept[number:])
    do = "choose a longer page or give fewer lines"
    raise BadInput(f"the page has nothing after its first {lines} lines", do=do)


def colour(said: str, page: str, known: frozenset[str], run: int) -> Iterator[Span]:
    """The words of `said` by their kinds, as spans that join to it."""
    words = said.split()
    memorised = _covered(words, _runs(page.split(), run), run)
    kinds: list[Kind] = []
    for word, is_memorised in zip(words, memorised, strict=True):
        is_real = all(name in known for name in WORD.findall(word.lower()))
        kinds.append("memorised" if is_memorised else "plausible" if is_real else "invented")
    return _spans(said, kinds)


def recalled(true: str, said: str, run: int) -> Iterator[Span]:
    """The words of the true page that `said` has given back, and those it has lost."""
    given_back = _covered(true.split(), _runs(said.split(), run), run)
    return _spans(true, ["memorised" if is_given else "lost" for is_given in given_back])


def page_bits(model: LanguageModel, page: str) -> float:
    """Bits of the page under the model: read in blocks, each after as much of the text before it.

    A block is begun at half a context of the usual 3 bytes a token, and halved where it does not fit.
    """
    size = max(16, model.capabilities.context * 3 // 2)
    bits, start = 0.0, 0
    while start < len(page):
        before, block = page[max(0, start - size) : start], page[start : start + size]
        try:
            bits -= sum(model.score(before, block)) / math.log(2)
        except BadInput:
            if size == 1:
                raise
            size = size // 2
        else:
            start += len(block)
    return bits


def _continuation(model: LanguageModel, prompt: str, tokens: int) -> str:
    """The greedy continuation, without the half word at which the limit may have cut it."""
    text = ""
    for event in model.generate([Request(prompt, Sampling(temperature=0, max_new_tokens=tokens))]):
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Token):
            text += event.text
        if isinstance(event, Done) and event.reason == "length" and " " in text.strip():
            text = re.sub(r"\S+\Z", "", text)
    return text


def _end_of_word(text: str, at: int) -> int:
    """The end of the word that position `at` is in."""
    after = re.compile(r"\s|\Z").search(text, min(at, len(text)))
    return after.start() if after else len(text)


def _runs(words: Sequence[str], run: int) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + run]) for at in range(len(words) - run + 1)}


def _covered(words: Sequence[str], runs: set[tuple[str, ...]], run: int) -> list[bool]:
    """Which words lie in one of these runs."""
    covered = [False] * len(words)
    for at in range(len(words) - run + 1):
        if tuple(words[at : at + run]) in runs:
            covered[at : at + run] = [True] * run
    return covered


def _spans(text: str, kinds: Sequence[Kind]) -> Iterator[Span]:
    """Neighbouring words of one kind as one span; space belongs to the word before it."""
    start = 0
    last: Kind = kinds[0] if kinds else "plausible"
    for kind, word in zip(kinds, re.finditer(r"\S+", text), strict=True):
        if kind != last:
            yield Span(text[start : word.start()], last)
            start, last = word.start(), kind
    if text[start:]:
        yield Span(text[start:], last)
