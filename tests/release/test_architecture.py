"""Names, keys, and the two places where numbers move."""

import numpy as np
import pytest
import torch
from gguf import MODEL_ARCH, GGMLQuantizationType, get_tensor_name_map

from nextword.model.config import ModelConfig, RopeScaling
from nextword.model.llama import Llama, rope_frequencies
from nextword.release.architecture import gguf_architecture, interleave_rows, place_tensors, rope_factors

F32 = GGMLQuantizationType.F32


@pytest.fixture(params=["llama-tied", "llama3", "qwen2", "qwen3"])
def config(request, folders) -> ModelConfig:
    return folders.CASES[request.param]


def test_every_parameter_of_the_model_has_one_place(config):
    wanted = {name for name, _ in Llama(config).named_parameters()}  # a tied head is listed once
    placed = [tensor.source for tensor in place_tensors(config, F32) if tensor.source]
    assert sorted(placed) == sorted(wanted)


def test_shapes_are_those_of_the_parameters(config):
    shapes = {name: tuple(parameter.shape) for name, parameter in Llama(config).named_parameters()}
    for tensor in place_tensors(config, F32):
        assert not tensor.source or tensor.shape == shapes[tensor.source]


def test_names_are_those_of_the_gguf_packages_own_map(config):
    kind = {"llama": MODEL_ARCH.LLAMA, "qwen2": MODEL_ARCH.QWEN2, "qwen3": MODEL_ARCH.QWEN3}
    names = get_tensor_name_map(kind[gguf_architecture(config)], config.num_hidden_layers)
    for tensor in place_tensors(config, F32):
        if tensor.source:
            stem, _, kind_of = tensor.source.rpartition(".")
            assert f"{names.get_name(stem)}.{kind_of}" == tensor.name


def test_interleaving_brings_each_pair_together():
    weight = np.arange(2 * 6, dtype=np.float32)[:, None]  # two heads of six rows
    assert interleave_rows(weight, heads=2)[:, 0].tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


def test_attention_scores_survive_interleaving():
    heads, size = 2, 8
    random = np.random.RandomState(0)
    query, key = random.randn(heads * size, 1), random.randn(heads * size, 1)
    moved = [interleave_rows(x.astype(np.float32), heads).reshape(heads, size) for x in (query, key)]
    before = (query * key).reshape(heads, size).sum(-1)
    assert np.allclose((moved[0] * moved[1]).sum(-1), before, atol=1e-5)


def test_only_llama_moves_rows(folders):
    for name, config in folders.CASES.items():
        moves = any(tensor.heads for tensor in place_tensors(config, F32))
        assert moves == name.startswith("llama")


def test_rope_factors_divide_plain_frequencies_into_the_models_own():
    scaling = RopeScaling(32.0, 1.0, 4.0, 8192)  # Llama 3.2 1B
    config = ModelConfig(512, 256, 256, 1, 4, 4, 64, rope_theta=500_000.0, rope_scaling=scaling)
    plain = 500_000.0 ** -(torch.arange(0, 64, 2, dtype=torch.float64) / 64)
    ours = plain / torch.from_numpy(rope_factors(64, 500_000.0, scaling)).double()
    assert torch.allclose(ours.float(), rope_frequencies(config), rtol=1e-5, atol=0)


def test_slow_pairs_are_slowed_by_the_whole_factor_and_fast_ones_not_at_all():
    factors = rope_factors(64, 500_000.0, RopeScaling(32.0, 1.0, 4.0, 8192))
    assert factors[0] == 1 and factors[-1] == 32 and (np.diff(factors) >= 0).all()
