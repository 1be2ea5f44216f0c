"""Answers that share their question, end to end for one forward pass: nothing is computed twice, nor padded.

Preferences compare two answers to one prompt, groups eight. The textbook writes the prompt before each and
pads all to the longest. Here the prompt stands once, its answers after it, the next prompt after them, all in
one row; each answer sees the prompt and itself, as if it stood alone, and positions say so too. Since a
prompt looks back only, its hidden states do not depend on the answer, so values and gradients are those of
the textbook. Who sees whom is `model/branched_attention.py`; to all else in a layer tokens are tokens.

    prompt  A A A A  B B B  prompt  C C  D D D D
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from nextword.model.branched_attention import Branching, Lengths


@dataclass(frozen=True)
class Branch:
    """One way to go on, and for each of its tokens whether it is scored (1) or only read (0)."""

    ids: tuple[int, ...]
    mask: tuple[int, ...]


@dataclass(frozen=True)
class Tree:
    """What all branches begin with (at least one token), and the branches."""

    prefix: tuple[int, ...]
    branches: tuple[Branch, ...]

    @property
    def size(self) -> int:
        """Tokens when the prefix stands once."""
        return len(self.prefix) + sum(len(branch.ids) for branch in self.branches)

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return len(self.prefix) + max(len(branch.ids) for branch in self.branches)

    @property
    def tokens(self) -> int:
        """Tokens of all sequences, each with its own prefix: what a padded batch would compute at least."""
        return sum(len(self.prefix) + len(branch.ids) for branch in self.branches)


def merged(trees: Sequence[Tree]) -> tuple[list[Tree], list[int]]:
    """Trees that begin alike as one, equal branches once; and every branch's number among those that stay.

    Comparisons of four answers to one question are six pairs, whose prompt is then computed once, not six
    times.
    """
    forest: dict[tuple[int, ...], dict[Branch, int]] = {}
    for tree in trees:
        branches = forest.setdefault(tree.prefix, {})
        for branch in tree.branches:
            branches.setdefault(branch, len(branches))
    sizes = itertools.accumulate(map(len, forest.values()), initial=0)
    begins = dict(zip(forest, sizes, strict=False))
    kept = [Tree(prefix, tuple(branches)) for prefix, branches in forest.items()]
    numbers = [
        begins[tree.prefix] + forest[tree.prefix][branch] for tree in trees for branch in tree.branches
    ]
    return kept, numbers


@dataclass(frozen=True)
class Packed:
    """Trees as one row of T tokens. Sequences are numbered by tree, then by branch; N are scored in all.

    ids, positions: (1, T). branching: who sees whom. predictors: (N,) where among the T hidden states the
    one stands that predicts the token; targets: (N,) the token; sequence: (N,) whose it is; offset: (N,)
    which of its sequence's scored ones; ends: (S,) each sequence's last token among the T. counts: (S,)
    scored tokens. prompt_predictors, prompt_targets: (M,) the same for the prompts' own tokens, each once.
    """

    ids: Tensor
    positions: Tensor
    branching: Branching
    predictors: Tensor
    targets: Tensor
    sequence: Tensor
    offset: Tensor
    ends: Tensor
    counts: Tensor
    prompt_predictors: Tensor
    prompt_targets: Tensor
    tokens: int
    """Tokens of all sequences, each with its own prefix."""

    def to(self, device: torch.device) -> Packed:
        """The same on a device."""
        if device == self.ids.device:
            return self
        moved: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in moved.items():
            if isinstance(value, Tensor | Branching):
                moved[name] = value.to(device)
        return Packed(**moved)

    def summed(self, values: Tensor) -> Tensor:
        """Each sequence's sum: (N,) -> (S,)."""
        return values.new_zeros(len(self.ends)).index_add(0, self.sequence, values)

    def padded(self, values: Tensor) -> Tensor:
        """Each sequence's values as a row, zeros after them: (N,) -> (S, A)."""
        rows = values.new_zeros(len(self.ends), int(self.counts.max()))
        return rows.index_put((self.sequence, self.offset), values)


def pack_trees(trees: Sequence[Tree]) -> Packed:
    """Trees end to end."""
    assert all(tree.prefix and tree.branches for tree in trees), "a token to begin with, and a branch"
    ids: list[int] = []
    positions: list[int] = []
    scored: list[tuple[int, int, int, int]] = []  # sequence, offset, predictor, target
    prompts: list[tuple[int, int]] = []  # predictor, target
    ends: list[int] = []
    for tree in trees:
        begin, length = len(ids), len(tree.prefix)
        ids += tree.prefix
        positions += range(length)
        prompts += zip(itertools.count(begin), tree.prefix[1:], strict=False)
        for branch in tree.branches:
            scored += _scored(branch, len(ends), begin + length - 1, len(ids))
            ids += branch.ids
            positions += range(length, length + len(branch.ids))
            ends.append(len(ids) - 1 if branch.ids else begin + length - 1)
    lines = torch.tensor(scored).reshape(-1, 4).long()
    pairs = torch.tensor(prompts).reshape(-1, 2).long()
    shape = [Lengths(len(tree.prefix), tuple(len(branch.ids) for branch in tree.branches)) for tree in trees]
    return Packed(
        ids=torch.tensor([ids]),
        positions=torch.tensor([positions]),
        branching=Branching.of(shape),
        sequence=lines[:, 0],
        offset=lines[:, 1],
        predictors=lines[:, 2],
        targets=lines[:, 3],
        ends=torch.tensor(ends),
        counts=torch.bincount(lines[:, 0], minlength=len(ends)),
        prompt_predictors=pairs[:, 0],
        prompt_targets=pairs[:, 1],
        tokens=sum(tree.tokens for tree in trees),
    )


def _scored(branch: Branch, sequence: int, asked: int, begin: int) -> Iterator[tuple[int, int, int, int]]:
    """Of every scored token: sequence, offset, predictor, target. `asked` is where the prompt ends."""
    learnt = [j for j, on in enumerate(branch.mask) if on]
    for offset, j in enumerate(learnt):
        yield sequence, offset, begin + j - 1 if j else asked, branch.ids[j]
