"""What a Hugging Face model is called in GGUF: its tensors, its keys, and the two places where numbers move.

llama.cpp's converter (`convert_hf_to_gguf.py`) is the definition; a test holds our file equal to its file.

1. RoPE. transformers turns the pairs (i, i + D/2) of a head, llama.cpp's `llama` architecture the pairs
   (2i, 2i + 1). So the rows of Q and K are re-ordered once, here: row i goes to 2i, row D/2 + i to 2i + 1.
   Scores are the same, since Q and K move together. The `qwen2` and `qwen3` architectures turn half-split
   pairs (NEOX) and keep their rows.
2. Llama-3's stretch of slow RoPE frequencies becomes a tensor, `rope_freqs.weight` (D/2,): the number each
   frequency is divided by.

A tied head is one tensor: `output.weight` is left out, and readers use `token_embd.weight`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, GGUFWriter

from nextword.common.errors import BadInput
from nextword.model.config import ModelConfig, RopeScaling
from nextword.release.quantise import choose_type

ROPE_FACTORS = "rope_freqs.weight"


@dataclass(frozen=True)
class Placement:
    """One tensor of the file to be: where it comes from, its shape and type there."""

    name: str
    """In GGUF's words, such as `blk.0.attn_q.weight`."""
    source: str
    """In Hugging Face's words; "" when it is computed."""
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    heads: int = 0
    """How many heads' rows are re-ordered; 0 leaves them."""


def gguf_architecture(config: ModelConfig) -> str:
    """The GGUF architecture: `llama` (Mistral too), `qwen2` (attention bias) or `qwen3` (QK-norm)."""
    if config.qk_norm and config.attention_bias:
        raise BadInput("attention bias and QK-norm together have no GGUF architecture", where="config.json")
    return "qwen3" if config.qk_norm else "qwen2" if config.attention_bias else "llama"


def place_tensors(config: ModelConfig, wanted: GGMLQuantizationType) -> list[Placement]:
    """Every tensor of the file in its order, with the type it gets in a file that is mostly `wanted`."""
    tied = config.tie_word_embeddings
    placements = []
    if config.rope_scaling is not None:
        placements.append(Placement(ROPE_FACTORS, "", (config.head_dim // 2,), GGMLQuantizationType.F32))
    for name, source, shape, heads in _names(config):
        is_head = name == ("token_embd.weight" if tied else "output.weight")
        placements.append(Placement(name, source, shape, choose_type(shape, wanted, is_head), heads))
    return placements


def _names(config: ModelConfig) -> Iterator[tuple[str, str, tuple[int, ...], int]]:
    """(GGUF name, Hugging Face name, shape, heads to re-order) of every weight."""
    C, V = config.hidden_size, config.vocab_size
    yield "token_embd.weight", "model.embed_tokens.weight", (V, C), 0
    for layer in range(config.num_hidden_layers):
        for name, source, shape, heads in _layer_names(config):
            yield f"blk.{layer}.{name}", f"model.layers.{layer}.{source}", shape, heads
    yield "output_norm.weight", "model.norm.weight", (C,), 0
    if not config.tie_word_embeddings:
        yield "output.weight", "lm_head.weight", (V, C), 0


def _layer_names(config: ModelConfig) -> Iterator[tuple[str, str, tuple[int, ...], int]]:
    C, D, wide = config.hidden_size, config.head_dim, config.intermediate_size
    H, K = config.num_attention_heads, config.num_key_value_heads
    moves = gguf_architecture(config) == "llama"
    yield "attn_norm.weight", "input_layernorm.weight", (C,), 0
    yield "attn_q.weight", "self_attn.q_proj.weight", (H * D, C), H * moves
    yield "attn_k.weight", "self_attn.k_proj.weight", (K * D, C), K * moves
    yield "attn_v.weight", "self_attn.v_proj.weight", (K * D, C), 0
    if config.attention_bias:
        yield "attn_q.bias", "self_attn.q_proj.bias", (H * D,), 0
        yield "attn_k.bias", "self_attn.k_proj.bias", (K * D,), 0
        yield "attn_v.bias", "self_attn.v_proj.bias", (K * D,), 0
    if config.qk_norm:
        yield "attn_q_norm.weight", "self_attn.q_norm.weight", (D,), 0
        yield "attn_k_norm.weight", "self_attn.k_norm.weight", (D,), 0
    yield "attn_output.weight", "self_attn.o_proj.weight", (C, H * D), 0
    yield "ffn_norm.weight", "post_attention_layernorm.weight", (C,), 0
    yield "ffn_gate.weight", "mlp.gate_proj.weight", (wide, C), 0
    yield "ffn_up.weight", "mlp.up_proj.weight", (wide, C), 0
    yield "ffn_down.weight", "mlp.down_proj.weight", (C, wide), 0


def add_shape(writer: GGUFWriter, config: ModelConfig) -> None:
    """The keys that tell a reader the model's shape, `llama.block_count` and its kin."""
    writer.add_vocab_size(config.vocab_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.context)  # GGUF's llama has no sliding window
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_rope_dimension_count(config.head_dim)


def interleave_rows(weight: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Half-split rows of each head to interleaved ones: (H D, C) -> (H D, C)."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])  # (H, 2, D/2, C)
    return halves.swapaxes(1, 2).reshape(weight.shape)


def rope_factors(head_dim: int, theta: float, scaling: RopeScaling) -> npt.NDArray[np.float32]:
    """(D/2,) what Llama-3 divides each RoPE frequency by.

    A pair that turns often within the old context keeps its frequency (1), one that turns rarely is slowed
    by `factor`, and between the two the frequency, not its divisor, is interpolated. In double precision, as
    our own model has it; the converter's single precision differs in the last bit.
    """
    frequencies = theta ** -(np.arange(0, head_dim, 2) / head_dim)
    return np.array([_stretch(float(frequency), scaling) for frequency in frequencies], np.float32)


def _stretch(frequency: float, scaling: RopeScaling) -> float:
    turns = scaling.original_max_position_embeddings * frequency / (2 * math.pi)
    if turns > scaling.high_freq_factor:
        return 1.0
    if turns < scaling.low_freq_factor:
        return scaling.factor
    smooth = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    return 1 / ((1 - smooth) / scaling.factor + smooth)
