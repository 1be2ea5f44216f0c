"""Attention by blocks must be attention."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nextword.model import blocked_attention
from nextword.model.blocked_attention import BLOCK, attend, fits


def heads(B, H, K, T, D=16, dtype=torch.float64):
    generator = torch.Generator().manual_seed(T)
    return [
        torch.randn((B, n, T, D), generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for n in (H, K, K)
    ]


def result_and_gradients(function, inputs):
    result = function(*inputs)
    upstream = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).view(result.shape)
    return [result, *torch.autograd.grad(result, inputs, upstream)]


def textbook(mask=None):
    def mixed(query, key, value):
        shared = query.shape[1] != key.shape[1]
        return F.scaled_dot_product_attention(
            query, key, value, mask, is_causal=mask is None, enable_gqa=shared
        )

    return mixed


@pytest.mark.parametrize("T", [2, BLOCK - 1, BLOCK, 2 * BLOCK + 37])
@pytest.mark.parametrize(("H", "K"), [(4, 4), (4, 2), (3, 1)])
def test_values_and_gradients_are_the_textbooks(H, K, T):
    inputs = heads(2, H, K, T)
    ours = result_and_gradients(attend, inputs)
    for mine, true in zip(ours, result_and_gradients(textbook(), inputs), strict=True):
        torch.testing.assert_close(mine, true, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("H", "K"), [(4, 4), (4, 2)])
def test_a_mask_keeps_documents_apart(H, K):
    T = BLOCK + 30
    documents = torch.tensor([[0] * 20 + [1] * (T - 20), [3] * BLOCK + [4] * 30])
    mask = torch.tril(documents[:, :, None] == documents[:, None, :])[:, None]
    inputs = heads(2, H, K, T)
    ours = result_and_gradients(lambda q, k, v: attend(q, k, v, mask), inputs)
    for mine, true in zip(ours, result_and_gradients(textbook(mask), inputs), strict=True):
        torch.testing.assert_close(mine, true, rtol=1e-9, atol=1e-9)


def test_in_bf16_it_is_as_close_to_the_truth_as_the_format_allows():
    inputs = heads(1, 2, 2, 2 * BLOCK, D=64, dtype=torch.bfloat16)
    exact = result_and_gradients(textbook(), [one.double().detach().requires_grad_() for one in inputs])
    for mine, true in zip(result_and_gradients(attend, inputs), exact, strict=True):
        assert (mine.double() - true).norm() <= 0.01 * true.norm()


def test_what_comes_after_changes_nothing_before():
    query, key, value = heads(1, 2, 2, BLOCK + 10)
    before = attend(query, key, value)
    with torch.no_grad():
        key[:, :, BLOCK + 5 :] = 100.0
        value[:, :, BLOCK + 5 :] = 100.0
    after = attend(query, key, value)
    assert torch.equal(before[:, :, : BLOCK + 5], after[:, :, : BLOCK + 5])
    assert not torch.equal(before[:, :, BLOCK + 5 :], after[:, :, BLOCK + 5 :])


def test_it_is_chosen_for_bf16_on_the_cpu_only():
    query, key, _ = heads(1, 2, 2, 8, dtype=torch.bfloat16)
    assert fits(query, key)
    assert not fits(query.float(), key.float())
    assert not fits(query.to("meta"), key.to("meta"))


def test_it_is_not_chosen_for_one_new_token_or_against_a_cache():
    query, key, _ = heads(1, 2, 2, 8, dtype=torch.bfloat16)
    assert not fits(query[:, :, :1], key[:, :, :1])
    assert not fits(query[:, :, :4], key)


def test_it_is_not_chosen_where_it_would_keep_too_much(monkeypatch):
    query, key, _ = heads(1, 2, 2, 8, dtype=torch.bfloat16)
    monkeypatch.setattr(blocked_attention, "KEPT_BYTES", 2 * 8 * 8 - 1)
    assert not fits(query, key)
