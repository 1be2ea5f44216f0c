"""Attention over trees must be plain attention with a mask that says who sees whom."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as some

from nextword.model import branched_attention
from nextword.model.branched_attention import Branching, Lengths, attend

forests = some.lists(
    some.builds(Lengths, some.integers(1, 9), some.lists(some.integers(0, 6), max_size=4).map(tuple)),
    min_size=1,
    max_size=6,
)


def visible(forest: list[Lengths]) -> torch.Tensor:
    """(N, N), True where looking is allowed."""
    tree, branch = [], []
    for number, one in enumerate(forest):
        for part, length in enumerate((one.prompt, *one.branches)):
            tree += [number] * length
            branch += [part] * length
    trees, parts = torch.tensor(tree), torch.tensor(branch)
    same = trees[:, None] == trees
    return (same & ((parts == 0) | (parts[:, None] == parts))).tril()


def drawn(forest: list[Lengths], heads: int = 2, keys: int = 2) -> list[torch.Tensor]:
    N = sum(one.prompt + sum(one.branches) for one in forest)
    generator = torch.Generator().manual_seed(N)
    return [torch.randn(1, n, N, 8, generator=generator, requires_grad=True) for n in (heads, keys, keys)]


def compared(forest: list[Lengths], heads: int = 2, keys: int = 2) -> None:
    """Ours and the masked one, and the gradients of both."""
    given = drawn(forest, heads, keys)
    ours = attend(*given, Branching.of(forest))
    plain = F.scaled_dot_product_attention(*given, visible(forest), enable_gqa=True)
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)
    g = torch.linspace(-1, 1, ours.numel()).view_as(ours)
    for mine, true in zip(
        torch.autograd.grad(ours, given, g), torch.autograd.grad(plain, given, g), strict=True
    ):
        torch.testing.assert_close(mine, true, rtol=1e-4, atol=1e-5)


@given(forests)
@settings(max_examples=60, deadline=None)
def test_values_and_gradients_are_those_of_a_mask(forest):
    compared(forest)


def test_query_heads_may_share_keys():
    compared([Lengths(3, (4, 2)), Lengths(5, (1,))], heads=4, keys=2)


def test_trees_of_unlike_sizes_are_computed_apart_and_give_the_same(monkeypatch):
    forest = [Lengths(3, (4, 2)), Lengths(30, (1, 2, 3)), Lengths(4, (3,)), Lengths(29, (2,))]
    monkeypatch.setattr(branched_attention, "FEW", 0)
    assert len(Branching.of(forest).groups) > 1
    compared(forest)


def test_what_is_too_much_to_keep_is_computed_again(monkeypatch):
    monkeypatch.setattr(branched_attention, "KEPT_BYTES", 0)
    compared([Lengths(3, (4, 2)), Lengths(5, (1, 6))])


@pytest.mark.parametrize("forest", [[Lengths(300, (200, 150))], [Lengths(1, (1,))]])
def test_bf16_is_near(forest):
    given = [part.detach() for part in drawn(forest)]
    rounded = attend(*(part.bfloat16() for part in given), Branching.of(forest)).float()
    plain = F.scaled_dot_product_attention(*given, visible(forest))
    assert (rounded - plain).abs().mean() < 0.01
