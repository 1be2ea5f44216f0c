"""Attention over texts that lie end to end, each a prompt and the branches that go on from it.

All tokens of a batch are one row without padding, which is what every other part of a layer wants; only here
each token must find what it may see. A prompt's tokens see those before them; a branch's see their prompt
and those before them in the branch. So prompts are laid side by side, their branches too, and only these
grids are padded:

    s = [q K_prompt^T, q K_own^T] / sqrt(D)      p = softmax(s)      out = p_prompt V_prompt + p_own V_own

The branches of a prompt ask its keys together, as queries of one product: nothing is copied for each. Against
a mask over rows of several trees this leaves out what is hidden anyway: of eight prompts with four answers
each, three quarters of the scores.

Trees of unlike sizes are computed in several groups, and where the probabilities of all of them would take
more than `KEPT_BYTES` a layer, they are computed again in the backward pass, group by group.

Shapes: N tokens in all; P trees of a group, S tokens of its longest prompt, R branches of at most A tokens.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from nextword.model import blocked_attention

KEPT_BYTES = 256 << 20
"""Most bytes of probabilities that a layer may keep for its backward pass."""

SCORES = 1 << 21
"""Scores of a head beyond which trees are not computed together."""

FEW = 1 << 16
"""Scores of a head that are not worth a group of their own."""


@dataclass(frozen=True)
class Lengths:
    """Of one tree: the tokens of its prompt and of each branch."""

    prompt: int
    branches: tuple[int, ...] = ()

    @property
    def scores(self) -> int:
        """How many pairs of a branch's token and what it may look at, the triangle as a square."""
        return sum(branch * (self.prompt + branch) for branch in self.branches)


@dataclass(frozen=True)
class Group:
    """Trees that are computed together; places among the N tokens, -1 where there is none.

    prompts: (P, S). branches: (P, R A). bias: (P, 1, 1, A, S + A), -inf where looking is not allowed.
    """

    prompts: Tensor
    branches: Tensor
    bias: Tensor

    def to(self, device: torch.device) -> Group:
        """The same on a device."""
        return Group(self.prompts.to(device), self.branches.to(device), self.bias.to(device))


@dataclass(frozen=True)
class Branching:
    """Who sees whom among N tokens. longest: tokens of the longest text."""

    groups: tuple[Group, ...]
    longest: int

    @staticmethod
    def of(trees: Sequence[Lengths]) -> Branching:
        """Trees that lie end to end, each its prompt and then its branches."""
        ends = list(itertools.accumulate(tree.prompt + sum(tree.branches) for tree in trees))
        starts = [0, *ends[:-1]]
        groups = (_grid([trees[n] for n in some], [starts[n] for n in some]) for some in _groups(trees))
        return Branching(tuple(groups), max(tree.prompt + max(tree.branches, default=0) for tree in trees))

    def to(self, device: torch.device) -> Branching:
        """The same on a device."""
        return Branching(tuple(group.to(device) for group in self.groups), self.longest)

    def rows(self, H: int, N: int) -> tuple[Tensor, Tensor, Tensor]:
        """Between (H N, D) and the groups' (P, H, S, D) and (P, H, R A, D) one after another, M rows in all.

        Where each of the M comes from; where each of the H N went; which of the M are blank.
        """
        parts = [part[:, None] for group in self.groups for part in (group.prompts, group.branches)]
        heads = torch.arange(0, H * N, N, device=parts[0].device)[:, None]
        there = torch.cat([torch.where(part < 0, -1, part + heads).flatten() for part in parts])
        is_real = there >= 0
        back = torch.empty(H * N, dtype=torch.long, device=there.device)
        back[there[is_real]] = is_real.nonzero().flatten()
        return there.clamp(min=0), back, (~is_real).nonzero().flatten()


def attend(query: Tensor, key: Tensor, value: Tensor, branching: Branching) -> Tensor:
    """Each token with what it may see: query (1, H, N, D), key and value (1, K, N, D) -> (1, H, N, D)."""
    _, H, N, D = query.shape
    if key.shape[1] != H:
        key, value = (part.repeat_interleave(H // key.shape[1], 1) for part in (key, value))
    there, back, blank = branching.rows(H, N)
    sizes = [H * part.numel() for group in branching.groups for part in (group.prompts, group.branches)]
    moved = [_moved(part.reshape(-1, D), there, back, blank) for part in (query, key, value)]
    pieces = list(zip(*(torch.split(part, sizes) for part in moved), strict=True))
    scores = H * sum(group.branches.numel() * group.bias.shape[-1] for group in branching.groups)
    is_kept = not torch.is_grad_enabled() or scores * query.dtype.itemsize <= KEPT_BYTES
    mixed: list[Tensor] = []
    for n, group in enumerate(branching.groups):
        given = (*pieces[2 * n], *pieces[2 * n + 1], group)
        mixed += _mixed(*given) if is_kept else checkpoint(_mixed, *given, use_reentrant=False)
    return _moved(torch.cat(mixed), back, there, blank).view(1, H, N, D)


class _Moved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Tensor, back: Tensor, blank: Tensor) -> Tensor:
        ctx.save_for_backward(back, blank)
        ctx.had_blanks = len(back) > len(there)  # x had them: what becomes of those is nobody's
        return x.index_select(0, there)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None, None]:
        back, blank = ctx.saved_tensors
        dx = dy.index_select(0, back)
        return (dx.index_fill_(0, blank, 0) if ctx.had_blanks else dx), None, None, None


def _moved(x: Tensor, there: Tensor, back: Tensor, blank: Tensor) -> Tensor:
    """x[there], of whose rows none but blank ones are taken twice; so the derivative moves them back.

    Autograd, which cannot know that, would add row by row.
    """
    result: Tensor = _Moved.apply(x, there, back, blank)  # type: ignore[no-untyped-call]
    return result


def _mixed(
    prompt_query: Tensor,
    prompt_key: Tensor,
    prompt_value: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    group: Group,
) -> tuple[Tensor, Tensor]:
    """A group's prompts, each (P H S, D), and branches, each (P H R A, D), mixed with what they see."""
    (P, S), D, A = group.prompts.shape, query.shape[-1], group.bias.shape[-2]
    asked, keys, values = (part.view(P, -1, S, D) for part in (prompt_query, prompt_key, prompt_value))
    if blocked_attention.fits(asked, keys):
        prompts = blocked_attention.attend(asked, keys, values)
    else:
        prompts = F.scaled_dot_product_attention(asked, keys, values, is_causal=S > 1)
    if not len(query):
        return prompts.reshape(-1, D), query
    keys, values = keys.flatten(0, 1), values.flatten(0, 1)  # (P H, S, D)
    query = query / math.sqrt(D)
    shared = torch.bmm(query.view(len(keys), -1, D), keys.transpose(1, 2))  # (P H, R A, S)
    own = torch.bmm(query.view(-1, A, D), key.view(-1, A, D).transpose(1, 2))  # (P H R, A, A)
    scores = torch.cat((shared.view(-1, A, S), own), -1).view(P, len(keys) // P, -1, A, S + A)
    chances = torch.softmax(scores.add_(group.bias.to(scores.dtype)), -1)
    of_prompt = torch.bmm(chances[..., :S].reshape(shared.shape), values)  # (P H, R A, D)
    of_own = torch.bmm(chances[..., S:].reshape(own.shape), value.view(-1, A, D))  # (P H R, A, D)
    return prompts.reshape(-1, D), (of_prompt.view(of_own.shape) + of_own).view(-1, D)


def _groups(trees: Sequence[Lengths]) -> list[list[int]]:
    """Numbers of trees alike enough that at most a third of a group's scores are padding, or few in all."""
    groups: list[list[int]] = []
    for n in sorted(range(len(trees)), key=lambda n: (trees[n].prompt, max(trees[n].branches, default=0))):
        together = [trees[other] for other in (*groups[-1], n)] if groups else []
        prompt = max((tree.prompt for tree in together), default=0)
        branch = max((max(tree.branches, default=0) for tree in together), default=0)
        rows = len(together) * max((len(tree.branches) for tree in together), default=0)
        padded, real = rows * branch * (prompt + branch), sum(tree.scores for tree in together)
        prompts, squares = len(together) * prompt**2, sum(tree.prompt**2 for tree in together)
        is_alike = padded + prompts <= 1.5 * (real + squares) + FEW and padded + prompts <= SCORES
        if groups and is_alike:
            groups[-1].append(n)
        else:
            groups.append([n])
    return groups


def _grid(trees: Sequence[Lengths], starts: Sequence[int]) -> Group:
    """Trees that begin at these of the N tokens, side by side."""
    S = max(tree.prompt for tree in trees)
    R = max(len(tree.branches) for tree in trees)
    A = max(max(tree.branches, default=0) for tree in trees)
    begins = torch.zeros(len(trees), R, 1, dtype=torch.long)
    lengths = torch.zeros_like(begins)
    for n, (tree, start) in enumerate(zip(trees, starts, strict=True)):
        begin = start + tree.prompt
        for r, length in enumerate(tree.branches):
            begins[n, r], lengths[n, r] = begin, length
            begin += length
    is_prompt = torch.arange(S) < torch.tensor([[tree.prompt] for tree in trees])  # (P, S)
    is_branch = torch.arange(A) < lengths  # (P, R, A)
    prompts = (torch.tensor(starts)[:, None] + torch.arange(S)).masked_fill(~is_prompt, -1)
    branches = (begins + torch.arange(A)).masked_fill(~is_branch, -1).flatten(1)
    bias = torch.zeros(len(trees), 1, 1, A, S + A)
    bias[..., :S].masked_fill_(~is_prompt[:, None, None, None], -math.inf)
    bias[..., S:].masked_fill_(torch.ones(A, A, dtype=torch.bool).triu(1), -math.inf)
    return Group(prompts, branches, bias)
