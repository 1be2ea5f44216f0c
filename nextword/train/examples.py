"""Conversations as rows to train on: masked, packed without being cut, reproducible.

A row is as long as the context, and a conversation is seldom that long, so several share a row: each looks
only at itself (the block-diagonal mask of `Batch.documents`), and so learns exactly what it would alone.
Packing is first fit in a shuffled order over a window of open rows, which fills some 95 % of a row for short
conversations; no conversation is ever cut (best-fit-crop packing throws answers away).

What cannot be learnt from is counted with its reason and never turned into an empty row: a row of which
every target is masked has no loss, and dividing by zero targets is how others' finetuning became NaN. A
conversation with an empty answer is left out, too: all that this one would teach is to say nothing. Where an
answer only calls tools, and the template does not write calls, the same is true of that answer: it is read
and not learnt, the rest of its conversation is.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from nextword.common.dialogue import says_something
from nextword.common.errors import BadInput
from nextword.common.records import Conversation
from nextword.model.fused_loss import IGNORED
from nextword.tokenizer.chat import ChatTemplate
from nextword.train.left_out import LeavesOut
from nextword.train.step import Batch

OPEN_ROWS = 64
"""Rows that are filled at the same time."""


@dataclass(frozen=True)
class Example:
    """Token ids and, for each, whether it is to be learnt (1) or only read (0)."""

    ids: tuple[int, ...]
    mask: tuple[int, ...]

    @property
    def targets(self) -> int:
        """Tokens that are learnt; the first one of all is never predicted."""
        return sum(self.mask[1:])


@dataclass(frozen=True)
class Examples(LeavesOut):
    """What can be learnt from, and how many conversations were left out, by reason."""

    kept: list[Example]
    left_out: Counter[str] = field(default_factory=Counter)


def examples_of(conversations: Iterable[Conversation], chat: ChatTemplate, context: int) -> Examples:
    """Conversations as examples; those longer than the context or without an answer are counted."""
    found = Examples([])
    for conversation in conversations:
        if any(one.role == "assistant" and not says_something(one) for one in conversation.messages):
            found.left_out["with an empty answer"] += 1
            continue
        try:
            masked = chat.masked(conversation)
        except BadInput as error:
            found.left_out[error.what] += 1
            continue
        if len(masked.ids) > context + 1:  # a row of T inputs predicts T tokens, the first is only read
            found.left_out[f"longer than the context of {context:,} tokens"] += 1
            continue
        found.kept.append(Example(tuple(masked.ids), tuple(masked.mask)))
        if masked.left_out:
            found.left_out["answers that the template rewrites later on"] += masked.left_out
        if masked.only_calls:
            found.left_out["answers that only call tools, which the template does not write"] += (
                masked.only_calls
            )
    return found


def pack(lengths: Sequence[int], capacity: int, seed: str) -> list[list[int]]:
    """Rows of indices into `lengths`, none longer than `capacity` together, each index once."""
    order = list(range(len(lengths)))
    random.Random(seed).shuffle(order)
    rows: list[list[int]] = []
    room: list[int] = []  # of the last OPEN_ROWS rows
    for index in order:
        length = lengths[index]
        assert length <= capacity, f"an example of {length} in rows of {capacity}"
        fits = next((n for n, left in enumerate(room) if length <= left), None)
        if fits is None:
            rows.append([])
            room = [*room[-(OPEN_ROWS - 1) :], capacity]
            fits = len(room) - 1
        rows[fits - len(room)].append(index)
        room[fits] -= length
    return rows


class ExampleBatches:
    """Packed rows of examples, epoch after epoch, each packed and shuffled anew; this process's share.

    rows: of the global batch. The last batch of an epoch is filled up from the next one.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        rows: int,
        context: int,
        *,
        pad: int,
        seed: int,
        device: torch.device,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if not any(example.targets for example in examples):
            raise BadInput("no example has anything to learn", do="give conversations with answers")
        self.examples = [example for example in examples if example.targets]
        self.rows, self.context, self.pad, self.seed, self.device = rows, context, pad, seed, device
        self.rank, self.world = rank, world
        self.taken = 0
        self._epochs: dict[int, list[list[int]]] = {}
        self._lengths = [len(example.ids) - 1 for example in self.examples]

    @property
    def rows_an_epoch(self) -> int:
        """Rows in which every example stands once, about: each epoch is packed anew."""
        return len(self._epoch(0))

    def next(self) -> Batch:
        """The next batch of this process: (rows / world, T)."""
        begin = self.taken + self.rank * (self.rows // self.world)
        rows = [self._row(number) for number in range(begin, begin + self.rows // self.world)]
        self.taken += self.rows
        return batch_of([[self.examples[index] for index in row] for row in rows], self.context, self.pad).to(
            self.device
        )

    def state_dict(self) -> dict[str, Any]:
        """The position: rows taken in all."""
        return {"taken": self.taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at a position."""
        self.taken = int(state["taken"])

    def _row(self, number: int) -> list[int]:
        epoch = 0
        while number >= len(self._epoch(epoch)):
            number -= len(self._epoch(epoch))
            epoch += 1
        return self._epoch(epoch)[number]

    def _epoch(self, epoch: int) -> list[list[int]]:
        if epoch not in self._epochs:
            rows = pack(self._lengths, self.context, f"{self.seed} {epoch}")
            random.Random(f"{self.seed} {epoch} rows").shuffle(rows)
            self._epochs[epoch] = rows
        return self._epochs[epoch]


def batch_of(rows: Sequence[Sequence[Example]], context: int, pad: int) -> Batch:
    """Rows of examples side by side: inputs, targets and documents (B, T), padded to the context."""
    inputs = torch.full((len(rows), context), pad)
    targets = torch.full((len(rows), context), IGNORED)
    documents = torch.full((len(rows), context), -1)
    for n, row in enumerate(rows):
        start = 0
        for number, example in enumerate(row):
            end = start + len(example.ids) - 1
            inputs[n, start:end] = torch.tensor(example.ids[:-1])
            learnt = [id if on else IGNORED for id, on in zip(example.ids[1:], example.mask[1:], strict=True)]
            targets[n, start:end] = torch.tensor(learnt)
            documents[n, start:end] = number
            start = end
    return Batch(inputs, targets, documents)
