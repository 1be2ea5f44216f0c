"""config.json: read strictly, written for old and new readers, and the one dial."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nextword.common.errors import BadInput, Corrupt
from nextword.model.config import ModelConfig, RopeScaling
from nextword.model.config_file import config_from_json, config_to_json, read_config

LLAMA_2 = {  # as published for Llama-2-7b-hf
    "architectures": ["LlamaForCausalLM"],
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 11008,
    "max_position_embeddings": 4096,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 32,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "vocab_size": 32000,
}
LLAMA_3_ROPE = {
    "factor": 8.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
}


def shapes():
    """Shapes of every architecture we write."""
    switch = some.sampled_from([{}, {"attention_bias": True}, {"qk_norm": True}, {"sliding_window": 64}])
    scaling = some.none() | some.builds(
        RopeScaling, some.floats(1, 64), some.just(1.0), some.just(4.0), some.integers(1, 10_000)
    )
    return some.builds(
        lambda kv, group, switches, **rest: ModelConfig(
            num_attention_heads=kv * group, num_key_value_heads=kv, **rest, **switches
        ),
        kv=some.integers(1, 8),
        group=some.integers(1, 8),
        switches=switch,
        vocab_size=some.integers(1, 10**6),
        hidden_size=some.integers(1, 10**5),
        intermediate_size=some.integers(1, 10**5),
        num_hidden_layers=some.integers(1, 200),
        head_dim=some.integers(1, 128).map(lambda half: 2 * half),
        rope_theta=some.floats(1, 1e7),
        rope_scaling=scaling,
        rms_norm_eps=some.floats(1e-8, 1e-2),
        tie_word_embeddings=some.booleans(),
        bos_token_id=some.none() | some.integers(0, 10**6),
        eos_token_id=some.none() | some.integers(0, 10**6),
    )


@given(shapes())
def test_what_is_written_is_what_is_read(config):
    assert config_from_json(json.loads(json.dumps(config_to_json(config)))) == config


@given(shapes())
def test_readers_older_than_rope_parameters_and_newer_ones_see_the_same(config):
    value = config_to_json(config)
    old = {key: field for key, field in value.items() if key != "rope_parameters"}
    new = {key: field for key, field in value.items() if key not in ("rope_theta", "rope_scaling")}
    assert config_from_json(old) == config_from_json(new) == config


@given(
    some.dictionaries(
        some.sampled_from([*LLAMA_2, "head_dim", "rope_parameters"]),
        some.recursive(
            some.none() | some.booleans() | some.floats() | some.integers() | some.text(max_size=5),
            lambda inner: (
                some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=5,
        ),
    )
)
def test_any_nonsense_in_a_config_is_one_line_or_a_shape(nonsense):
    try:
        assert isinstance(config_from_json(LLAMA_2 | nonsense), ModelConfig)
    except BadInput as error:
        assert "\n" not in str(error)


def test_llama_2_as_published_is_read():
    config = config_from_json(LLAMA_2)
    assert (config.head_dim, config.rope_theta, config.rope_scaling) == (128, 10_000.0, None)
    assert config.num_parameters == 6_738_415_616


def test_llama_3_scaling_is_read_from_the_old_field():
    config = config_from_json(LLAMA_2 | {"rope_theta": 500000.0, "rope_scaling": LLAMA_3_ROPE})
    assert config.rope_scaling == RopeScaling(8.0, 1.0, 4.0, 8192)
    assert config.rope_theta == 500000.0


def test_of_several_end_tokens_the_first_is_the_end_of_text():
    assert config_from_json(LLAMA_2 | {"eos_token_id": [128001, 128009]}).eos_token_id == 128001


def test_a_folder_that_names_only_its_model_type_is_read():
    value = {key: field for key, field in LLAMA_2.items() if key != "architectures"}
    assert config_from_json(value) == config_from_json(LLAMA_2)


def test_mistrals_window_limits_the_context():
    value = LLAMA_2 | {"architectures": ["MistralForCausalLM"], "sliding_window": 1024}
    assert config_from_json(value).context == 1024
    assert config_from_json(value | {"sliding_window": None}).context == 4096


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architectures": ["GPT2LMHeadModel"]},
            "'GPT2LMHeadModel'; we open Llama, Mistral, Qwen2 and Qwen3",
        ),
        ({"architectures": None, "model_type": "t5"}, "'t5'"),
        ({"hidden_size": None}, "has no hidden_size"),
        ({"eos_token_id": "abc"}, "eos_token_id is 'abc', expected a token id"),
        ({"eos_token_id": ["abc"]}, r"eos_token_id is \['abc'\], expected token ids"),
        ({"bos_token_id": [1, True]}, r"bos_token_id is \[1, True\], expected token ids"),
        ({"hidden_size": "4096"}, "hidden_size is '4096', expected a whole number"),
        ({"hidden_size": True}, "hidden_size is True, expected a whole number"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"num_key_value_heads": 5}, "32 heads cannot share 5 key-value heads"),
        ({"head_dim": 7}, "head_dim is 7, RoPE needs it even"),
        ({"rms_norm_eps": 0}, "rms_norm_eps is 0.0"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu', we compute only 'silu'"),
        ({"attention_bias": True}, "attention_bias is True, we compute only False"),
        ({"mlp_bias": True}, "mlp_bias is True"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"),
        ({"quantization_config": {"bits": 4}}, "the weights are quantised"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_type is .linear.; we compute"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_type is 'dynamic'"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "rope_type is 'yarn'"),
        ({"rope_scaling": LLAMA_3_ROPE | {"factor": None}}, "has no factor"),
        ({"rope_scaling": LLAMA_3_ROPE | {"high_freq_factor": 0.5}}, "makes no sense"),
    ],
)
def test_what_we_do_not_compute_is_refused_by_name(changes, message):
    with pytest.raises(BadInput, match=f"^here.*{message}"):
        config_from_json(LLAMA_2 | changes, where="here")


def test_qwen_with_a_sliding_window_is_refused():
    value = LLAMA_2 | {"architectures": ["Qwen2ForCausalLM"], "use_sliding_window": True, "sliding_window": 9}
    with pytest.raises(BadInput, match="slides in some layers only"):
        config_from_json(value)


def test_a_mix_of_switches_that_no_architecture_has_is_not_written():
    config = dataclasses.replace(config_from_json(LLAMA_2), attention_bias=True, qk_norm=True)
    with pytest.raises(BadInput, match="no one architecture is both"):
        config_to_json(config)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"architectures": ["Llama'])
def test_a_truncated_config_is_corrupt(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(Corrupt, match=r"config.json"):
        read_config(tmp_path / "config.json")


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 12])
def test_one_dial_gives_a_shape_whose_parameters_are_as_counted(depth):
    from nextword.model.llama import Llama

    config = ModelConfig.of_depth(depth, vocab_size=256)
    import torch

    with torch.device("meta"):
        model = Llama(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == config.num_parameters


def test_a_width_of_its_own_has_heads_of_the_same_size():
    config = ModelConfig.of_depth(3, vocab_size=256, width=128)
    assert (config.num_hidden_layers, config.hidden_size, config.head_dim) == (3, 128, 64)
    assert config.num_attention_heads == config.num_key_value_heads == 2
    assert config.intermediate_size == ModelConfig.of_depth(2, vocab_size=256).intermediate_size
    assert ModelConfig.of_depth(3, vocab_size=256, width=192) == ModelConfig.of_depth(3, vocab_size=256)
