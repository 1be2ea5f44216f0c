"""How likely a model finds answers: the log-probability of every scored token, differentiable.

Everything after finetuning needs this one number per token: preferences sum it over an answer, policies
weigh it by an advantage, a reference is only asked for it. Prompts shared by several answers are computed
once (`branches.py`), the head only where a token is scored, and its logits never stand in memory together
(`fused_logprobs.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nextword.model.fused_logprobs import target_logprobs
from nextword.model.llama import Llama
from nextword.train.branches import Packed, Tree, merged, pack_trees


@dataclass(frozen=True)
class Scored:
    """Of every scored token: ln p, and the entropy in nats of what might have stood there. Both (N,) fp32.

    prompts: (M,) ln p of the prompts' own tokens, where they were asked for.
    """

    logprobs: Tensor
    entropies: Tensor
    prompts: Tensor | None = None


def hidden_states(model: Llama, packed: Packed, dtype: torch.dtype | None = None) -> Tensor:
    """All hidden states, each sequence's as if it stood alone: (T, C)."""
    return model.hidden(packed.ids, packed.positions, packed.branching, dtype=dtype)[0]


def token_logprobs(
    model: Llama, packed: Packed, dtype: torch.dtype | None = None, prompts: bool = False
) -> Scored:
    """ln p of each scored token. dtype is what the layers work in, the weights' own unless given."""
    where, targets, N = packed.predictors, packed.targets, len(packed.targets)
    if prompts:
        where = torch.cat([where, packed.prompt_predictors])
        targets = torch.cat([targets, packed.prompt_targets])
    hidden = hidden_states(model, packed, dtype)[where]  # (N + M, C)
    logprobs, entropies = target_logprobs(hidden, model.lm_head.weight, targets)
    return Scored(logprobs[:N], entropies[:N], logprobs[N:] if prompts else None)


@torch.no_grad()
def sequence_logprobs(
    model: Llama,
    trees: Sequence[Tree],
    dtype: torch.dtype | None = None,
    tokens_at_once: int = 16_384,
) -> list[float]:
    """ln p of each answer's scored tokens together, tree by tree, branch by branch; no gradient is kept."""
    device = model.frequencies.device
    forest, numbers = merged(trees)
    found: list[float] = []
    for piece in in_pieces(forest, tokens_at_once):
        packed = pack_trees(piece).to(device)
        found += packed.summed(token_logprobs(model, packed, dtype).logprobs).tolist()
    return [found[number] for number in numbers]


def in_pieces(trees: Iterable[Tree], tokens: int) -> Iterator[list[Tree]]:
    """Neighbours of at most so many tokens together, or one tree."""
    piece: list[Tree] = []
    size = 0
    for tree in trees:
        if piece and size + tree.size > tokens:
            yield piece
            piece, size = [], 0
        piece.append(tree)
        size += tree.size
    if piece:
        yield piece
