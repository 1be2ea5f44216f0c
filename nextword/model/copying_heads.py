"""First weights with a pair of heads that copy: what came after this word the last time comes again.

Most of what a page says next it has said before: a name, a signature, a heading. To find it takes two heads
(Elhage et al. 2021; Olsson et al. 2022, "In-context learning and induction heads"): one in a first layer that
tells every position which token came before it, and one in the next layer that looks for the position whose
predecessor is the token at hand, and copies the token there. A model finds this circuit by itself, but late:
our runs of minutes end before it. So it is put into the first weights, as "mimetic" ones have been before
(Trockman and Kolter 2023), and is trained like every other weight from there on. In 300 steps of three layers
held-out text took 1.53 bits a byte, against 1.83 without (benchmarks/records/2026-11-23-copying-heads.md; the
sizes below were found there).

    embedding    coordinate 0 is CONSTANT for every token, so that a query can ask for a place, whatever
                 stands there; the others are normal(0, SPREAD)
    layer 0      query and key see that coordinate alone; the key is turned ahead by one position, so that
                 RoPE's fast pairs agree best with the position before (score PEAK a pair at most)
                 value and output carry R e, a random half of the token's vector, to a random place P
    layer 1      query R e (this token) and key P^T x (the token before): equal where this token came before;
                 only RoPE's slow pairs, since the two may be far apart
                 value and output add part of the found token's vector: with a tied head, its score

The rest stays random. A head's work is written over rows and columns of its own, for any number of heads.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor

from nextword.model.config import ModelConfig
from nextword.model.llama import Attention, Layer, Llama

CONSTANT, SPREAD = 4.0, 0.05
"""Of the embedding: larger than what training does to it, and small beside it."""
FAST_PAIRS, PEAK = 8, 5.0
"""Pairs that tell places apart, and what each adds to the score of the position before."""
SLOW = 0.006
"""Radians a position, at most, of pairs that compare tokens."""
GAIN, READ, TOLD, COPIED = 4.0, 0.277, 1.5, 1.0
"""Of query and key in layer 1; of both values; of the outputs of layer 0 and layer 1."""


def fits(config: ModelConfig) -> bool:
    """Whether the circuit can be written into such a model: two layers, and queries of any length."""
    has_room = 2 * FAST_PAIRS <= config.head_dim <= config.hidden_size
    return has_room and config.num_hidden_layers >= 2 and not config.qk_norm


def add_copying_heads(model: Llama, seed: int) -> None:
    """Write the two heads over the first head of layers 0 and 1, and the embedding they need."""
    config = model.config
    assert fits(config), "a model that has no place for copying heads"
    generator = torch.Generator().manual_seed(seed + 1)  # other numbers than the rest began with
    C, D = config.hidden_size, config.head_dim
    read, told, found = (_orthonormal(D, C, generator) for _ in range(3))
    read[:, 0] = found[:, 0] = 0.0  # of the token, not of the constant
    with torch.no_grad():
        _embed(model)
        _look_back_by_one(model, read, told)
        _copy_what_followed(model, read, told, found, generator)


def _embed(model: Llama) -> None:
    embedding = model.model.embed_tokens.weight
    embedding.mul_(SPREAD / embedding.std())
    embedding[:, 0] = CONSTANT
    if not model.config.tie_word_embeddings:
        model.lm_head.weight.copy_(embedding)


def _look_back_by_one(model: Llama, read: Tensor, told: Tensor) -> None:
    attention, D = _attention(model, 0), model.config.head_dim
    pairs, turn = torch.arange(FAST_PAIRS), model.frequencies[:FAST_PAIRS]
    C = model.config.hidden_size
    seen = CONSTANT / math.sqrt((CONSTANT**2 + (C - 1) * SPREAD**2) / C)  # the constant after the norm
    size = math.sqrt(PEAK * math.sqrt(D)) / seen
    query, key = (_head(part.weight, D) for part in (attention.q_proj, attention.k_proj))
    query[pairs, 0] = size
    key[pairs, 0], key[pairs + D // 2, 0] = size * turn.cos(), size * turn.sin()
    attention.v_proj.weight[:D] = READ * read
    attention.o_proj.weight[:, :D] = TOLD * told.T


def _copy_what_followed(
    model: Llama, read: Tensor, told: Tensor, found: Tensor, generator: torch.Generator
) -> None:
    attention, D = _attention(model, 1), model.config.head_dim
    slow = (model.frequencies < SLOW).nonzero().flatten()
    rows = torch.cat([slow, slow + D // 2])
    compared = _orthonormal(len(rows), D, generator)
    query, key = (_head(part.weight, D) for part in (attention.q_proj, attention.k_proj))
    query[rows], key[rows] = GAIN * compared @ read, GAIN * compared @ told
    attention.v_proj.weight[:D] = READ * found
    attention.o_proj.weight[:, :D] = COPIED * found.T


def _attention(model: Llama, layer: int) -> Attention:
    return cast(Layer, model.model.layers[layer]).self_attn


def _head(weight: Tensor, D: int) -> Tensor:
    """The rows of the first head, emptied."""
    return weight[:D].zero_()


def _orthonormal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """(rows, columns) of orthonormal rows, rows <= columns."""
    found: Tensor = torch.linalg.qr(torch.randn(columns, rows, generator=generator))[0]
    return found.T.contiguous()
