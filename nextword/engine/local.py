"""`LocalModel`: a LanguageModel over weights on this machine, whoever computes them.

Static batches: requests are sorted by priority, then by length (so that little of a batch is padding), and
cut into groups. A group is read together and advances a token a step; its events come interleaved. A row
that has ended is dropped from the batch once half of the rows have, since dropping copies the cache. A
scheduler that lets new requests join a running batch is a later piece of work behind this same door.

Thread-safe: each call has its own batch; a lock is held while a step is computed (two at once would fight
for the same cores) and never while an event is handed out, so a caller may score or generate in between.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from nextword.common.errors import BadInput, NextwordError
from nextword.common.language_model import Capabilities, Event, Failed, Request
from nextword.engine.continuation import Continuation
from nextword.engine.driver import Driver, Logits, Vocabulary
from nextword.engine.prompt import prompt_ids
from nextword.engine.sampler import draw_rows, is_plain


class LocalModel:
    """The port over a driver. `ends` are the tokens that end a text, `batch` the most rows run together."""

    def __init__(self, driver: Driver, vocabulary: Vocabulary, ends: Iterable[int], batch: int = 16) -> None:
        if vocabulary.vocab_size > driver.vocab_size:
            what = f"the tokenizer has {vocabulary.vocab_size:,} tokens, the model {driver.vocab_size:,}"
            raise BadInput(what, where=driver.name, do="use the tokenizer that it was trained with")
        self.driver, self.vocabulary, self.batch = driver, vocabulary, batch
        self.ends = frozenset(ends)
        self._cores = threading.Lock()
        self._wanted = threading.Lock()
        self._running: dict[str, bool] = {}  # request id to whether it has been cancelled

    @property
    def capabilities(self) -> Capabilities:
        """Ids and log-probabilities, no grammars, no adapters."""
        return Capabilities(self.driver.name, self.driver.context, ids=True, logprobs=True)

    def generate(self, requests: Sequence[Request]) -> Iterator[Event]:
        """Continue every request; Token events interleaved, each request ended by Done or Failed."""
        with self._wanted:
            self._running |= dict.fromkeys((request.id for request in requests), False)
        try:
            begun = []
            for request in requests:
                try:
                    begun.append(self._begin(request))
                except NextwordError as error:
                    yield Failed(request.id, error)
            begun.sort(key=lambda one: (-one.request.priority, len(one.prompt)))
            for group in self._groups(begun):
                yield from self._run(group)
        finally:
            with self._wanted:
                for request in requests:
                    self._running.pop(request.id, None)

    def score(self, prompt: str | list[int], continuation: str | list[int]) -> list[float]:
        """Natural-log probability of each token of the continuation after the prompt.

        A text's two parts are encoded each by itself. Raises BadInput when both do not fit the context.
        """
        before = prompt_ids(prompt, self.vocabulary)
        after = self.vocabulary.encode(continuation) if isinstance(continuation, str) else list(continuation)
        if not after:
            return []
        prompt_ids(after, self.vocabulary)  # each must be in the vocabulary
        if len(before) + len(after) > self.driver.context:
            what = f"{len(before) + len(after):,} tokens do not fit the context of {self.driver.context:,}"
            raise BadInput(what, do="score a shorter text")
        with self._cores:
            return self.driver.logprobs(before + after, len(before))

    def cancel(self, id: str) -> None:
        """End a running request with Done(reason="cancelled") before its next token."""
        with self._wanted:
            if id in self._running:
                self._running[id] = True

    def _begin(self, request: Request) -> Continuation:
        return Continuation(request, self.vocabulary, self.driver.context, self.ends)

    def _groups(self, begun: list[Continuation]) -> Iterator[list[Continuation]]:
        """Neighbours that fit into a batch, and their keys and values into memory."""
        group: list[Continuation] = []
        for one in begun:
            prompt = max(len(other.prompt) for other in (*group, one))
            room = max(other.limit for other in (*group, one))
            if group and len(group) >= min(self.batch, self.driver.rows(prompt + room)):
                yield group
                group = []
            group.append(one)
        if group:
            yield group

    def _run(self, group: list[Continuation]) -> Iterator[Event]:
        yield from self._end_early(group)
        active = [one for one in group if not one.is_over]
        if not active:
            return
        try:
            with self._cores:
                room = max(one.limit for one in active)
                batch, logits = self.driver.begin([one.prompt for one in active], room)
        except NextwordError as error:
            yield from (Failed(one.request.id, error) for one in active)
            return
        try:
            rows = active
            while True:
                yield from self._advance(rows, logits)
                yield from self._end_early(rows)
                left = [row for row, one in enumerate(rows) if not one.is_over]
                if not left:
                    return
                with self._cores:
                    if len(left) <= len(rows) // 2:
                        batch.keep(left)
                        rows = [rows[row] for row in left]
                    logits = batch.step([one.token for one in rows])
        finally:
            batch.close()

    def _advance(self, rows: list[Continuation], logits: Logits) -> Iterator[Event]:
        drawn = self._drawn(rows, logits)
        for row, (one, scores) in enumerate(zip(rows, logits, strict=True)):
            if not one.is_over:
                try:
                    yield from one.advance(scores, drawn.get(row))
                except NextwordError as error:
                    one.is_over = True
                    yield Failed(one.request.id, error)

    def _drawn(self, rows: list[Continuation], logits: Logits) -> dict[int, tuple[int, float]]:
        """The next token and its log-probability of rows that leave none out, drawn together, by row."""
        logits = logits[:, : self.vocabulary.vocab_size]
        plain = [
            row
            for row, one in enumerate(rows)
            if not one.is_over
            and is_plain(one.request.sampling)
            and np.isfinite(logits[row].max())  # else its own draw says what is wrong
        ]
        if not plain:
            return {}
        coins = [rows[row].coin for row in plain]
        return dict(zip(plain, draw_rows(logits[plain], coins), strict=True))

    def _end_early(self, rows: list[Continuation]) -> Iterator[Event]:
        """End what has been cancelled, and what has no token to make."""
        for one in rows:
            if one.is_over:
                continue
            if self._running.get(one.request.id, False):
                yield from one.give_up("cancelled")
            elif one.limit <= 0:
                yield from one.give_up("length")
