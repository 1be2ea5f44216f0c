"""The loader: from shards to batches, the same batches on any number of processes.

The corpus is a ring: after the last document comes the first one. An epoch cuts the ring into windows of T
tokens, beginning at a place drawn for that epoch, and deals them in an order drawn for that epoch. So

- nothing is cropped and nothing but the rest of the last window is padding (Best-fit packing, as nanochat has
  it, crops a third of the tokens: wrong for small corpora);
- every token is predicted exactly once an epoch, the first one included (after the last document's EOS);
- a second epoch sees the same text cut in other places;
- row k of the endless stream of rows is a pure function of (corpus, T, seed, k). Nothing is ever "the state
  of the shuffle": a checkpoint stores one number, how many rows have been dealt, and resuming, at another
  world size too, continues at that very row.

The order is a Feistel network walked along its cycles (Black & Rogaway 2002): a permutation of W windows that
needs no table, so a terabyte is shuffled in no memory.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextword.common.errors import BadInput
from nextword.tokenizer.shards import Shards

IGNORE = -100
"""The target of a position that is not to be predicted (cross-entropy's usual `ignore_index`)."""

ROUNDS = 6
"""Feistel rounds; four make a pseudo-random permutation (Luby & Rackoff 1988), small halves like a few
more."""


@dataclass(frozen=True)
class Batch:
    """B rows of T tokens. `documents` tells rows' documents apart, for attention that stays within one."""

    inputs: NDArray[np.int64]  # (B, T)
    targets: NDArray[np.int64]  # (B, T), IGNORE where nothing is to be predicted
    documents: NDArray[np.int64]  # (B, T), index of the document in the corpus


class TokenLoader:
    """An endless, deterministic iterator of batches for one rank.

    `batch` is the rows that this rank gets at each call; a call deals `batch * world` rows in all, rank r
    taking the r-th part. One process with batch 8 and two with batch 4 see the very same rows.
    """

    def __init__(
        self,
        shards: Shards,
        batch: int,
        context: int,
        *,
        rank: int = 0,
        world: int = 1,
        seed: int = 0,
        prefetch: int = 0,
    ) -> None:
        """`prefetch` batches are read ahead by a thread; 0 reads when asked (right unless the disk is
        slow)."""
        if batch < 1 or context < 1 or not 0 <= rank < world:
            raise BadInput(f"batch {batch}, context {context}, rank {rank} of {world} make no batch")
        if shards.tokens < 2:
            raise BadInput(
                "holds no text to train on", where=shards.where, do="look at the report of `nextword clean`"
            )
        self.shards, self.batch, self.context = shards, batch, context
        self.rank, self.world, self.seed, self.prefetch = rank, world, seed, prefetch
        self.windows = -(-shards.tokens // context)
        self.rows_dealt = 0
        self._ahead: deque[Future[Batch]] = deque()
        self._reader: ThreadPoolExecutor | None = None

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        """The next batch; there is always one."""
        step = self.batch * self.world
        if not self.prefetch:
            batch = self._read(self.rows_dealt)
        else:
            self._reader = self._reader or ThreadPoolExecutor(1, "loader")
            while len(self._ahead) <= self.prefetch:
                row = self.rows_dealt + len(self._ahead) * step
                self._ahead.append(self._reader.submit(self._read, row))
            batch = self._ahead.popleft().result()
        self.rows_dealt += step
        return batch

    @property
    def epoch(self) -> float:
        """How many times the corpus has been seen."""
        return self.rows_dealt / self.windows

    def state_dict(self) -> dict[str, Any]:
        """What resuming needs: the rows dealt, and what they were dealt from."""
        return {"rows_dealt": self.rows_dealt, **self._identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at the exact row; BadInput when the state belongs to another corpus, context or seed."""
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise BadInput(
                    f"the checkpoint was trained with {name} {state.get(name)}, now it is {value}",
                    where=self.shards.where,
                    do="resume with the corpus and settings that the run began with, or begin a new run",
                )
        self.rows_dealt = int(state["rows_dealt"])
        self._ahead.clear()

    def close(self) -> None:
        """Stop the reading thread, if there is one."""
        if self._reader:
            self._reader.shutdown(cancel_futures=True)
            self._reader = None
        self._ahead.clear()

    def rows(self, numbers: NDArray[np.int64]) -> Batch:
        """Any rows of the endless stream, by their numbers (B,)."""
        epochs, indices = np.divmod(numbers, self.windows)
        ring, T = self.shards.tokens, self.context
        within = np.empty((len(numbers), T), np.int64)  # position counted from the epoch's first token
        first = np.empty((len(numbers), 1), np.int64)  # where on the ring that first token is
        for epoch in np.unique(epochs):
            here = epochs == epoch
            window = permuted(indices[here], self.windows, _draw(self.seed, int(epoch), "order"))
            within[here] = window[:, None] * T + np.arange(T)
            first[here] = _draw(self.seed, int(epoch), "first") % ring
        positions = (first + within) % ring  # (B, T)
        starts = positions[:, 0]
        tokens = np.stack([self._ring(int(start), T + 1) for start in starts])  # (B, T + 1)
        targets = np.where(within < ring, tokens[:, 1:], IGNORE)
        return Batch(tokens[:, :-1], targets, self.shards.document_of(positions))

    def _read(self, row: int) -> Batch:
        start = row + self.rank * self.batch
        return self.rows(np.arange(start, start + self.batch))

    def _ring(self, start: int, count: int) -> NDArray[np.int64]:
        ring, parts = self.shards.tokens, []
        while count:
            part = self.shards.read(start, min(start + count, ring))
            parts.append(part)
            count -= len(part)
            start = 0
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _identity(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "context": self.context,
            "tokens": self.shards.tokens,
            "tokenizer": self.shards.fingerprint,
        }


def permuted(indices: NDArray[np.int64], size: int, key: int) -> NDArray[np.int64]:
    """Where a key's permutation of 0..size-1 sends each index.

    A balanced Feistel network permutes 0..4^h - 1 for the smallest 4^h >= size; an image beyond `size` is
    sent on until it falls inside, which keeps the map one-to-one and takes under four turns on average.
    """
    half = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
    out = _feistel(indices.astype(np.uint64), half, key)
    while (outside := out >= size).any():
        out[outside] = _feistel(out[outside], half, key)
    return out.astype(np.int64)


def _feistel(values: NDArray[np.uint64], half: int, key: int) -> NDArray[np.uint64]:
    mask, bits = np.uint64((1 << half) - 1), np.uint64(half)
    left, right = values >> bits, values & mask
    for turn in range(ROUNDS):
        left, right = right, left ^ (_mixed(right, _draw(key, turn)) & mask)
    return (left << bits) | right


def _mixed(values: NDArray[np.uint64], key: int) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele et al. 2014): every input bit moves every output bit."""
    x = values + np.uint64(key)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _draw(*names: int | str) -> int:
    """A 63-bit number that depends on the names only, alike on every machine and version of numpy."""
    text = "/".join(map(str, names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1
