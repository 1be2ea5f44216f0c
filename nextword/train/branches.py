"""Answers that share their question, as rows for one forward pass: nothing is computed twice, nothing padded.

Preferences compare two answers to one prompt, groups eight. The textbook writes the prompt before each and
pads all to the longest. Here the prompt stands once, its answers after it, and a mask makes each answer see
the prompt and itself, as if it stood alone; positions say so too. Since a prompt looks back only, its hidden
states do not depend on the answer, so values and gradients are those of the textbook.

    prompt  A A A A  B B B          a row: documents 0 0 0 ..., branches 0 .. 0 1 1 1 1 2 2 2
    q looks at k:  k <= q, the same document, and k in the prompt or in q's own branch

Several such trees share a row, and a large tree is cut between answers, its prompt repeated. How long a row
is and where trees are cut is chosen by cost: longer rows waste fewer tokens on padding and repeated prompts,
shorter ones less attention on tokens that are hidden anyway.

Left out: an attention that skips hidden blocks. At these sizes attention is a fifth of the products.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

ROW = 768
"""Tokens beyond which a tree is cut, unless one answer alone is longer."""

CUTS = 1, 1.5, 2, 3, 4
"""Parts of a row beyond which trees may be cut: where one is much larger than the others, less is padded."""

ATTENTION = 1 / 1024
"""What one more token in a row adds to the cost of each of its tokens, against all other work on it."""


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


Rows = list[list[tuple[Tree, int]]]
"""Trees side by side, each with the number of its first sequence."""


@dataclass(frozen=True)
class Packed:
    """Trees as rows. Sequences are numbered by tree, then by branch; N tokens are scored in all.

    ids, positions, documents, branches: (B, T); documents are -1 on padding. predictors: (N,) where among
    the B T hidden states the one stands that predicts the token; targets: (N,) the token; sequence: (N,)
    whose it is; offset: (N,) which of its sequence's scored ones; ends: (S,) each sequence's last token
    among the B T. counts: (S,) scored tokens. prompt_predictors, prompt_targets: (M,) the same for the
    prompts' own tokens, each prompt's once.
    """

    ids: Tensor
    positions: Tensor
    documents: Tensor
    branches: Tensor
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
        moved: dict[str, Any] = {
            field.name: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
            for field in fields(self)
            for value in (getattr(self, field.name),)
        }
        return Packed(**moved)

    def mask(self) -> Tensor | None:
        """(B, 1, T, T), True where looking is allowed; None where plain causal attention says the same."""
        if not (self.branches.gt(1).any() or self.documents.gt(0).any()):
            return None
        same = self.documents[:, :, None] == self.documents[:, None, :]
        prompt = self.branches[:, None, :] == 0
        own = self.branches[:, :, None] == self.branches[:, None, :]
        return torch.tril(same & (prompt | own))[:, None]

    def summed(self, values: Tensor) -> Tensor:
        """Each sequence's sum: (N,) -> (S,)."""
        return values.new_zeros(len(self.ends)).index_add(0, self.sequence, values)

    def padded(self, values: Tensor) -> Tensor:
        """Each sequence's values as a row, zeros after them: (N,) -> (S, A)."""
        rows = values.new_zeros(len(self.ends), int(self.counts.max()))
        return rows.index_put((self.sequence, self.offset), values)


def pack_trees(trees: Sequence[Tree], pad: int = 0, row: int = ROW) -> Packed:
    """Rows of trees. row: tokens of a row to stay below where single answers allow it."""
    assert all(tree.prefix and tree.branches for tree in trees), "a token to begin with, and a branch"
    ways = (_laid(trees, int(row / share), row) for share in CUTS)
    return _filled(min(ways, key=_cost), trees, pad)


def _laid(trees: Sequence[Tree], longest: int, row: int) -> Rows:
    """Rows of trees that are cut where they are longer, of the least cost among a few widths."""
    pieces: list[tuple[Tree, int]] = []
    first = 0
    for tree in trees:
        pieces += [(piece, first + start) for piece, start in _cut(tree, longest)]
        first += len(tree.branches)
    sizes = [piece.size for piece, _ in pieces]
    largest = max(sizes)
    widths = {min(largest * quarters // 4, max(largest, row)) for quarters in range(4, 9)}
    ways = ([[pieces[n] for n in row] for row in _best_fit(sizes, width)] for width in sorted(widths))
    return min(ways, key=_cost)


def _cut(tree: Tree, row: int) -> Iterator[tuple[Tree, int]]:
    """The tree in pieces of at most `row` tokens where answers allow it, and each piece's first branch."""
    start, size = 0, len(tree.prefix)
    for number, branch in enumerate(tree.branches):
        if number > start and size + len(branch.ids) > row:
            yield Tree(tree.prefix, tree.branches[start:number]), start
            start, size = number, len(tree.prefix)
        size += len(branch.ids)
    yield Tree(tree.prefix, tree.branches[start:]), start


def _cost(rows: Rows) -> float:
    width = max(sum(piece.size for piece, _ in row) for row in rows)
    return len(rows) * width * (1 + width * ATTENTION)


def _best_fit(sizes: Sequence[int], width: int) -> list[list[int]]:
    """Best fit, largest first: each piece goes where it leaves the least room."""
    rows: list[list[int]] = []
    room: list[int] = []
    for n in sorted(range(len(sizes)), key=lambda n: -sizes[n]):
        fitting = [(left, index) for index, left in enumerate(room) if left >= sizes[n]]
        if fitting:
            _, index = min(fitting)
        else:
            index = len(rows)
            rows.append([])
            room.append(width)
        rows[index].append(n)
        room[index] -= sizes[n]
    return rows


@dataclass(frozen=True)
class _Placed:
    """A tree in its row: its first sequence's number, whether its prompt has not stood before, and where its
    prompt and branches begin among the B T."""

    tree: Tree
    first: int
    is_new: bool
    begins: list[int]

    def scored(self) -> Iterator[tuple[int, int, int, int]]:
        """Of every scored token: sequence, offset, predictor, target."""
        asked = self.begins[0] + len(self.tree.prefix) - 1  # the prompt's end predicts each first token
        for k, branch in enumerate(self.tree.branches):
            learnt = [j for j, on in enumerate(branch.mask) if on]
            for offset, j in enumerate(learnt):
                predictor = self.begins[k + 1] + j - 1 if j else asked
                yield self.first + k, offset, predictor, branch.ids[j]

    def prompt(self) -> Iterator[tuple[int, int]]:
        """Of every token of the prompt but its first: predictor and target."""
        for j, target in enumerate(self.tree.prefix[1:]):
            yield self.begins[0] + j, target

    def ends(self) -> Iterator[tuple[int, int]]:
        """Each sequence's number, and where its last token stands."""
        for k, branch in enumerate(self.tree.branches):
            begin, ids = (
                (self.begins[k + 1], branch.ids) if branch.ids else (self.begins[0], self.tree.prefix)
            )
            yield self.first + k, begin + len(ids) - 1


def _filled(rows: Rows, trees: Sequence[Tree], pad: int) -> Packed:
    firsts = [0, *itertools.accumulate(len(tree.branches) for tree in trees)]
    sequences = firsts.pop()
    width = max(sum(tree.size for tree, _ in row) for row in rows)
    blank = {"ids": pad, "positions": 0, "documents": -1, "branches": 0}
    columns = {name: [[value] * width for _ in rows] for name, value in blank.items()}
    placed = []
    for n, row in enumerate(rows):
        start = 0
        for document, (tree, first) in enumerate(row):
            placed.append(_Placed(tree, first, first in firsts, []))
            for k, ids in enumerate((tree.prefix, *(branch.ids for branch in tree.branches))):
                end, position = start + len(ids), len(tree.prefix) if k else 0
                columns["ids"][n][start:end] = ids
                columns["positions"][n][start:end] = range(position, position + len(ids))
                columns["documents"][n][start:end] = [document] * len(ids)
                columns["branches"][n][start:end] = [k] * len(ids)
                placed[-1].begins.append(n * width + start)
                start = end
    scored = torch.tensor(sorted(line for one in placed for line in one.scored())).reshape(-1, 4).long()
    prompts = (
        torch.tensor([pair for one in placed if one.is_new for pair in one.prompt()]).reshape(-1, 2).long()
    )
    ends = dict(pair for one in placed for pair in one.ends())
    return Packed(
        **{name: torch.tensor(value) for name, value in columns.items()},
        sequence=scored[:, 0],
        offset=scored[:, 1],
        predictors=scored[:, 2],
        targets=scored[:, 3],
        ends=torch.tensor([ends[number] for number in range(sequences)]),
        counts=torch.bincount(scored[:, 0], minlength=sequences),
        prompt_predictors=prompts[:, 0],
        prompt_targets=prompts[:, 1],
        tokens=sum(tree.tokens for tree in trees),
    )
