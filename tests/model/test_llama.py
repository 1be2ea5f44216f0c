"""The network itself: what it looks at, what it keeps, and that precision and cache change nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nextword.model.llama import KVCache, Llama

IDS = torch.arange(3, 43).view(2, 20)


def seeded(config, seed=0) -> Llama:
    model = Llama(config)
    model.initialise(seed)
    return model


@pytest.fixture
def model(tiny_config):
    return seeded(tiny_config)


def test_a_later_token_changes_nothing_before_it(model):
    changed = IDS.clone()
    changed[:, 12] = 1
    with torch.no_grad():
        before, after = model(IDS), model(changed)
    assert torch.equal(before[:, :12], after[:, :12])
    assert not torch.equal(before[:, 12:], after[:, 12:])


def test_a_cache_filled_in_pieces_gives_the_same_scores(model):
    cache = KVCache(model.config, 2, 20, torch.float32, torch.device("cpu"))
    with torch.no_grad():
        whole = model(IDS)
        pieces = [model(IDS[:, a:b], cache=cache) for a, b in ((0, 7), (7, 8), (8, 15), (15, 20))]
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=1e-5, atol=1e-5)


def test_bf16_work_is_close_to_fp32_and_leaves_the_weights_alone(model):
    with torch.no_grad():
        wide, narrow = model.hidden(IDS), model.hidden(IDS, dtype=torch.bfloat16)
    assert narrow.dtype == torch.bfloat16
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert (narrow.float() - wide).norm() < 0.02 * wide.norm()


def test_gradients_of_bf16_work_are_fp32_and_close(model):
    found = []
    for dtype in (None, torch.bfloat16):
        model.zero_grad()
        model(IDS, dtype=dtype).float().logsumexp(-1).sum().backward()
        found.append([parameter.grad.clone() for parameter in model.parameters()])
    for wide, narrow in zip(*found, strict=True):
        assert narrow.dtype == torch.float32
        assert (narrow - wide).norm() < 0.05 * wide.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_mask_of_two_documents_gives_each_what_it_would_have_alone(model, dtype):
    documents = torch.tensor([[0] * 8 + [1] * 12] * 2)
    mask = torch.tril(documents[:, :, None] == documents[:, None, :])[:, None]
    positions = torch.cat((torch.arange(8), torch.arange(12))).expand(2, 20)
    with torch.no_grad():
        together = model.hidden(IDS, positions, mask, dtype=dtype)
        alone = torch.cat((model.hidden(IDS[:, :8], dtype=dtype), model.hidden(IDS[:, 8:], dtype=dtype)), 1)
    difference = (together - alone).float().norm() / alone.float().norm()
    assert difference < (1e-5 if dtype == torch.float32 else 0.02)


def test_a_tied_head_is_the_embedding(tiny_config):
    model = seeded(replace(tiny_config, tie_word_embeddings=True))
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert sum(one.numel() for one in model.parameters()) == model.config.num_parameters


@pytest.mark.parametrize("kin", [{}, {"attention_bias": True}, {"qk_norm": True}])
def test_the_count_of_parameters_is_the_configurations(tiny_config, kin):
    model = seeded(replace(tiny_config, **kin))
    assert sum(one.numel() for one in model.parameters()) == model.config.num_parameters


def test_a_seed_decides_the_first_weights(tiny_config):
    first, again, other = seeded(tiny_config), seeded(tiny_config), seeded(tiny_config, seed=1)
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)
