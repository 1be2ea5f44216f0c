"""Bits per byte: how many bits the model needs for each byte of text it has never seen.

Loss per token cannot be compared between vocabularies: a larger one has fewer, harder tokens. Bits per byte
can, and with `xz` too, for it is a length: with an arithmetic coder the model would write the held-out
documents in `bits` bits, and get them back. That picture decides each of the complications:

1. What is given. A document begins with BOS, which is not scored: a document was announced, that is all.
2. What is scored. Every token of the text, and the EOS behind it, since who decodes must know where to stop.
   EOS has no bytes, so counting it makes the figure a little worse, never better.
3. What is a byte. The UTF-8 bytes of the documents' text, which the shards carry. A token that is only a part
   of a character needs no special care: bits and bytes are summed over whole documents before they are
   divided.
4. What the model sees. Documents apart, never the end of another one. One that is longer than the context is
   read in windows of `context` tokens that begin `stride` apart, and each scores only what no window before
   it has scored. So every token is scored exactly once, after at least `context - stride` others or all there
   are. Half the context as stride costs twice the work of none overlapping, and is what we report.
5. How it is summed. Windows of like length share a batch and are padded at the right, where a causal model
   does not look; logits are widened to fp32, sums kept in fp64. Batches are the same each time.
6. A quick look in training (`max_tokens`) takes whole documents in a fixed shuffled order while they fit, so
   that curves of one run can be compared with each other, but not with the figure over all.

Shapes: B windows, T tokens, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nextword.common.errors import BadInput, Failure
from nextword.tokenizer.loader import IGNORE, permuted
from nextword.tokenizer.shards import Shards

LOGITS = 1 << 25
"""At most this many scores at a time (128 MiB in fp32): a batch shrinks for a large vocabulary."""

Row = NDArray[np.int64]


@dataclass(frozen=True)
class BitsPerByte:
    """A code length and the text that it is for."""

    bits: float
    bytes: int
    tokens: int

    @property
    def value(self) -> float:
        """Bits for each byte."""
        return self.bits / self.bytes

    @property
    def loss(self) -> float:
        """The same in nats for each token, as training reports its loss."""
        return self.bits * math.log(2) / self.tokens


def bits_per_byte(
    model: Callable[[Tensor], Tensor],
    shards: Shards,
    context: int,
    *,
    device: torch.device | str = "cpu",
    batch: int = 16,
    stride: int | None = None,
    max_tokens: int | None = None,
    autocast: torch.dtype | None = None,
) -> BitsPerByte:
    """The model's bits per byte on the documents of `shards`.

    `model` maps ids (B, T) to logits (B, T, V); one that is a module is put in evaluation mode and back.
    `stride` defaults to half the context. Failure when a logit is not a number, BadInput for empty shards.
    """
    rows, size = list[tuple[Row, Row]](), 0
    for ids, text_bytes in _chosen(shards, max_tokens):
        rows += windows(ids, context, stride or max(1, context // 2))
        size += text_bytes
    if not size:
        raise BadInput("holds no text to score", where=shards.where)
    precision = torch.autocast(torch.device(device).type, autocast) if autocast else nullcontext()
    bits, tokens = 0.0, 0
    with torch.no_grad(), _evaluating(model), precision:
        for inputs, targets in _batches(rows, batch):
            bits += _bits(model, inputs.to(device), targets.to(device))
            tokens += int((targets != IGNORE).sum())
    if not math.isfinite(bits):
        raise Failure("the model's scores are not numbers", do="resume from an earlier checkpoint")
    return BitsPerByte(bits, size, tokens)


@contextmanager
def _evaluating(model: Callable[[Tensor], Tensor]) -> Iterator[None]:
    was_training = isinstance(model, torch.nn.Module) and model.training
    try:
        if isinstance(model, torch.nn.Module):
            model.eval()
        yield
    finally:
        if isinstance(model, torch.nn.Module):
            model.train(was_training)


def windows(ids: Row, context: int, stride: int) -> Iterator[tuple[Row, Row]]:
    """(inputs, targets) of one document, up to `context` long; IGNORE where an earlier window has scored."""
    last = len(ids) - 1  # how many tokens there are to predict
    scored = start = 0
    while scored < last:
        stop = min(start + context, last)
        targets = ids[start + 1 : stop + 1].astype(np.int64)
        targets[: scored - start] = IGNORE
        yield ids[start:stop].astype(np.int64), targets
        scored, start = stop, start + stride


def _chosen(shards: Shards, max_tokens: int | None) -> list[tuple[Row, int]]:
    documents = list(shards.iterate())
    if max_tokens is None or shards.tokens <= max_tokens:
        return documents
    order = permuted(np.arange(len(documents)), len(documents), key=0)
    taken, left = list[tuple[Row, int]](), max_tokens
    for number in order:
        if len(documents[number][0]) <= left or not taken:
            taken.append(documents[number])
            left -= len(documents[number][0])
    return taken


def _batches(rows: list[tuple[Row, Row]], batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """(B, T) inputs and targets, longest first, padded at the right."""
    order = sorted(range(len(rows)), key=lambda number: -len(rows[number][0]))
    for start in range(0, len(order), batch):
        group = [rows[number] for number in order[start : start + batch]]
        inputs = np.zeros((len(group), len(group[0][0])), np.int64)
        targets = np.full_like(inputs, IGNORE)
        for row, (ids, wanted) in enumerate(group):
            inputs[row, : len(ids)] = ids
            targets[row, : len(ids)] = wanted
        yield torch.from_numpy(inputs), torch.from_numpy(targets)


def _bits(model: Callable[[Tensor], Tensor], inputs: Tensor, targets: Tensor) -> float:
    """Bits of all targets that are to be scored; a row at a time where a batch's logits would be too many."""
    nats, start, rows = 0.0, 0, 1
    while start < len(inputs):
        logits = model(inputs[start : start + rows])  # (rows, T, V)
        wanted = targets[start : start + rows].flatten()
        loss = F.cross_entropy(logits.flatten(0, 1).float(), wanted, ignore_index=IGNORE, reduction="none")
        nats += loss.double().sum().item()
        start, rows = start + rows, max(1, LOGITS // logits[0].numel())
    return nats / math.log(2)
