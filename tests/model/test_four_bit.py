"""4-bit weights: QLoRA's levels and codes, a quarter of the memory, gradients for the adapter alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from nextword.model.config import ModelConfig
from nextword.model.four_bit import LEVELS, FourBitLinear, encode, pack, to_four_bit, weight_bytes
from nextword.model.llama import Linear, Llama
from nextword.model.lora import LoraConfig, adapted_layers, adapter, add_lora

GOLDEN = load_file(Path(__file__).with_name("golden") / "four_bit.safetensors")
PAPER = [-1.0, -0.6961928, -0.5250730, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0]
PAPER += [0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0]
"""QLoRA, appendix E."""
CPU = torch.device("cpu")
IDS = torch.randint(0, 512, (2, 12), generator=torch.Generator().manual_seed(7))


def linear(rows, columns, seed=0, bias=False):
    layer = Linear(columns, rows, bias=bias)
    with torch.no_grad():
        layer.weight.normal_(0, 0.02, generator=torch.Generator().manual_seed(seed))
    return layer


def test_the_levels_are_those_of_the_paper_and_of_bitsandbytes():
    assert torch.allclose(torch.tensor(LEVELS), torch.tensor(PAPER), atol=1e-6)
    assert torch.allclose(torch.tensor(LEVELS), GOLDEN["levels"], atol=1e-6)


def test_codes_and_scales_are_those_of_bitsandbytes():
    codes, scales = encode(GOLDEN["weights"].flatten())
    assert torch.equal(scales, GOLDEN["scales"])
    assert torch.equal(pack(codes), GOLDEN["codes"])


@settings(max_examples=40)
@given(rows=st.integers(1, 70), columns=st.integers(1, 70), seed=st.integers(0, 1000))
def test_every_weight_comes_back_as_the_nearest_level(rows, columns, seed):
    layer = linear(rows, columns, seed)
    back = FourBitLinear.of(layer, CPU, torch.float32).unpacked(torch.float32)
    flat = F.pad(layer.weight.detach().flatten(), (0, -layer.weight.numel() % 64)).view(-1, 64)
    scales = flat.abs().amax(1, keepdim=True)
    nearest = (flat / scales - torch.tensor(LEVELS)[:, None, None]).abs().amin(0) * scales
    slack = scales.max() / 100  # of the scales' own 8 bits
    error = (back.flatten() - flat.flatten()[: back.numel()]).abs()
    assert bool((error <= nearest.flatten()[: back.numel()] + slack).all())


@pytest.mark.parametrize("value", [0.0, 1e-30, 1e30])
def test_a_constant_matrix_comes_back_whole_and_finite(value):
    layer = Linear(96, 5, bias=False)
    with torch.no_grad():
        layer.weight.fill_(value)
    back = FourBitLinear.of(layer, CPU, torch.float32).unpacked(torch.float32)
    assert torch.allclose(back, layer.weight, rtol=1e-2, atol=0)


def test_a_layer_multiplies_by_its_unpacked_weights_and_adds_its_bias():
    plain = linear(48, 80, bias=True)
    packed = FourBitLinear.of(plain, CPU, torch.float32)
    x = torch.randn(2, 3, 80, generator=torch.Generator().manual_seed(1))
    assert torch.equal(packed(x), F.linear(x, packed.unpacked(torch.float32)) + plain.bias)
    assert packed(x.bfloat16()).dtype == torch.bfloat16


def test_gradients_pass_through_a_layer_and_no_weight_is_kept_for_them():
    packed = FourBitLinear.of(linear(48, 80), CPU, torch.float32)
    x = torch.randn(3, 80, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one) or one, lambda one: one):
        y = packed(x)
    y.square().sum().backward()
    W = packed.unpacked(torch.float32)
    assert torch.allclose(x.grad, 2 * (x @ W.T) @ W, atol=1e-6)
    assert all(one.numel() < W.numel() for one in kept)


def test_a_weight_takes_4_127_bits():
    packed = FourBitLinear.of(linear(512, 1024), CPU, torch.bfloat16)
    bits = 8 * weight_bytes(packed) / (512 * 1024)
    assert bits == pytest.approx(4 + 8 / 64 + 32 / (64 * 256), abs=1e-3)
    assert bits / 16 < 0.26


def test_a_whole_model_keeps_its_embedding_and_the_sum_says_so():
    config = ModelConfig.of_depth(4, vocab_size=4096)
    model = Llama(config)
    model.initialise(0)
    packed = to_four_bit(model, CPU, torch.bfloat16)
    inside = 4.127 / 8 * (config.num_matmul_parameters - 4096 * 256)
    kept = 2 * (4096 * 256 + 9 * 256)
    assert weight_bytes(packed) == pytest.approx(inside + kept, rel=1e-3)


def test_only_the_adapter_learns_over_four_bit_weights(tiny_model):
    to_four_bit(tiny_model, CPU, torch.float32)
    add_lora(tiny_model, LoraConfig(rank=4), seed=0)
    tiny_model(IDS).square().mean().backward()
    grown = {name for name, one in tiny_model.named_parameters() if one.grad is not None}
    assert grown == {name for name, one in tiny_model.named_parameters() if one.requires_grad}
    assert len(grown) == 2 * len(list(adapted_layers(tiny_model)))
    assert all(one.grad is not None for one in adapter(tiny_model).parameters())


def test_a_tied_head_stays_tied_and_positions_keep_their_precision(tiny_config):
    from dataclasses import replace

    model = Llama(replace(tiny_config, tie_word_embeddings=True))
    model.initialise(0)
    frequencies = model.frequencies.clone()
    to_four_bit(model, CPU, torch.bfloat16)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert torch.equal(model.frequencies, frequencies)


def test_the_model_still_answers_much_as_it_did(tiny_model):
    with torch.no_grad():
        before = tiny_model(IDS)
        after = to_four_bit(tiny_model, CPU, torch.float32)(IDS)
    alike = F.cosine_similarity(before, after, dim=-1)
    assert float(alike.mean()) > 0.9
