"""One request on its way: its tokens so far, its text so far, and when it has ended.

What a model was trained to say after a text is text, or the text's end. It has seen other special tokens as
targets only where documents are packed side by side: BOS after EOS, which is no continuation. So BOS and its
kind are not offered among a token's alternatives, though some probability is theirs (13 % of it after a BOS
alone, in a model of ours that had rarely seen one at the very beginning). Alternatives to a conversation's
tokens are offered whole: there special tokens call tools and show images.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np

from nextword.common.errors import BadInput
from nextword.common.language_model import Alternative, Done, Event, Request, Token, Usage
from nextword.common.records import Conversation
from nextword.engine.driver import Logits, Vocabulary
from nextword.engine.prompt import prompt_ids
from nextword.engine.sampler import REPEAT_WINDOW, choose, coin, log_softmax, logprob
from nextword.engine.text_stream import TextStream


class Continuation:
    """A request being continued. `token` is the latest one, to be fed to the model; `is_over` when done."""

    def __init__(self, request: Request, vocabulary: Vocabulary, context: int, ends: frozenset[int]) -> None:
        """Raises BadInput for a prompt that cannot be continued within the context."""
        if request.grammar is not None:
            raise BadInput("this model cannot follow a grammar", do="ask its capabilities first")
        self.request, self.vocabulary, self.ends = request, vocabulary, ends
        prompt = request.prompt
        if request.tools is not None and isinstance(prompt, Conversation):
            prompt = replace(prompt, tools=request.tools)
        self.prompt = prompt_ids(prompt, vocabulary)
        if len(self.prompt) > context:
            do = "shorten it or use a model with a longer context"
            raise BadInput(f"the prompt has {len(self.prompt):,} tokens, the context {context:,}", do=do)
        self.limit = min(request.sampling.max_new_tokens, context - len(self.prompt))
        self.made: list[int] = []
        self.stream = TextStream(request.stop)
        self.is_over = False

    @property
    def token(self) -> int:
        """The latest token."""
        return self.made[-1]

    @property
    def coin(self) -> float:
        """The one that decides the next token."""
        return coin(self.request.seed, len(self.made))

    def advance(self, logits: Logits, drawn: tuple[int, float] | None = None) -> Iterator[Event]:
        """Draw the next token from (V,) logits: a Token, and Done if it was the last.

        drawn: the token and its log-probability, where they have been drawn with those of other rows.
        """
        sampling = self.request.sampling
        logits = logits[: self.vocabulary.vocab_size]
        if drawn is None:
            seen = (self.prompt[-REPEAT_WINDOW:] + self.made)[-REPEAT_WINDOW:]
            id = choose(logits, sampling, seen, self.coin)
            drawn = id, logprob(logits, id)
        id, likely = drawn
        self.made.append(id)
        text = self.stream.push(self.vocabulary.token_bytes(id))
        is_stopped = self.stream.is_stopped or id in self.ends
        self.is_over = is_stopped or len(self.made) >= self.limit
        if self.is_over:
            text += self.stream.finish()
        top: tuple[Alternative, ...] = ()
        if sampling.top_logprobs:
            top = tuple(self._alternatives(log_softmax(logits), sampling.top_logprobs))
        yield Token(self.request.id, id, text, likely, top)
        if self.is_over:
            yield self._done("stop" if is_stopped or self.stream.is_stopped else "length")

    def give_up(self, reason: str) -> Iterator[Event]:
        """End here, saying what was held back."""
        self.is_over = True
        if held := self.stream.finish():
            yield Token(self.request.id, None, held)
        yield self._done(reason)

    def _done(self, reason: str) -> Done:
        usage = Usage(prompt_tokens=len(self.prompt), completion_tokens=len(self.made))
        return Done(self.request.id, reason, usage)  # type: ignore[arg-type]

    def _alternatives(self, scores: np.ndarray, count: int) -> Iterator[Alternative]:
        ranked = map(int, np.argsort(-scores, kind="stable") if count else ())
        for id in itertools.islice(filter(self._is_offered, ranked), count):
            yield Alternative(id, self._shown(id), float(scores[id]))

    def _is_offered(self, id: int) -> bool:
        """Whether a token may stand among the alternatives; see the module's text."""
        is_text = not isinstance(self.request.prompt, Conversation)
        return not is_text or id in self.ends or id not in self._special

    @cached_property
    def _special(self) -> frozenset[int]:
        return frozenset(self.vocabulary.special.values())

    def _shown(self, id: int) -> str:
        """A token as a person may see it: a special one, which has no bytes, by its name."""
        if piece := self.vocabulary.token_bytes(id):
            return piece.decode("utf-8", "replace")
        return next((name for name, special in self.vocabulary.special.items() if special == id), "")
