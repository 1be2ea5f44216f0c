"""The transformer: Llama's architecture in one sitting.

A token becomes a vector; each layer lets positions look back at one another (attention) and then thinks
about each by itself (SwiGLU); the last vector is compared with every token's row to predict the next.
Parameter names are Hugging Face's, so `model.safetensors` needs no conversion table.

    RMSNorm    Zhang & Sennrich 2019        RoPE     Su et al. 2021 (half-split pairs, as in transformers)
    SwiGLU     Shazeer 2020                 GQA      Ainslie et al. 2023

Weights may be fp32 while the work is done in bf16: activations carry the dtype (`hidden(dtype=...)` sets it)
and each weight is rounded to it where it is used. What is written for speed lives beside this file with its
algebra: `by_hand.py`, `blocked_attention.py`, `fused_loss.py`.

Shapes: B batch, T tokens, S cached + new tokens, C hidden, H query heads, K key-value heads, D head_dim,
V vocabulary.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextword.model import blocked_attention, branched_attention
from nextword.model.branched_attention import Branching
from nextword.model.by_hand import normalise, rotate
from nextword.model.config import ModelConfig


class Linear(nn.Linear):
    """x W^T + b in the dtype of x."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.weight.to(x.dtype), bias)


class RMSNorm(nn.Module):
    """x / rms(x) * weight; the mean of squares is taken in fp32 whatever comes in."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        return normalise(x, self.weight, self.eps)


def rope_frequencies(config: ModelConfig) -> Tensor:
    """(D/2,) radians a position turns each pair, with Llama-3's stretch of the slow ones where configured."""
    D = config.head_dim
    # In fp32 from the start, as published models were trained: far out, its last bit is an angle one can see.
    frequencies = 1.0 / config.rope_theta ** (torch.arange(0, D, 2).float() / D)
    scaling = config.rope_scaling
    if scaling is not None:
        turns = (
            scaling.original_max_position_embeddings * frequencies / (2 * math.pi)
        )  # within the old context
        span = scaling.high_freq_factor - scaling.low_freq_factor
        smooth = ((turns - scaling.low_freq_factor) / span).clamp(0, 1)
        frequencies = (1 - smooth) * frequencies / scaling.factor + smooth * frequencies
    return frequencies


Mask = Tensor | Branching | None
"""(B, 1, T, S), True where looking is allowed; which tokens of one row are texts of their own; or causal."""


class Cache(Protocol):
    """What sequences remember of what they have read. `hidden` moves `length` on after the last layer."""

    length: int
    """Columns so far."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, mask: Mask) -> Tensor:
        """Remember new keys and values (B, K, T, D) and mix what each query (B, H, T, D) may see."""
        ...


class KVCache:
    """Keys and values of B sequences, preallocated to `capacity` positions, filled from the left."""

    def __init__(
        self, config: ModelConfig, batch: int, capacity: int, dtype: torch.dtype, device: torch.device
    ):
        shape = (config.num_hidden_layers, batch, config.num_key_value_heads, capacity, config.head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.length = 0

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store new (B, K, T, D) and return everything so far (B, K, S, D)."""
        end = self.length + key.shape[2]
        self.keys[layer, :, :, self.length : end] = key
        self.values[layer, :, :, self.length : end] = value
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, mask: Mask) -> Tensor:
        """Store the new and let each query look at everything so far: (B, H, T, D)."""
        assert not isinstance(mask, Branching), "rows of texts side by side are read without a cache"
        return attend(query, *self.extend(layer, key, value), mask)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(Q K^T / sqrt(D)) V: query (B, H, T, D), key and value (B, K, S, D) -> (B, H, T, D).

    Without a mask it is causal, and a single query, being the last, sees all.
    """
    is_causal, shared = mask is None and query.shape[2] > 1, query.shape[1] != key.shape[1]
    return F.scaled_dot_product_attention(query, key, value, mask, is_causal=is_causal, enable_gqa=shared)


class Attention(nn.Module):
    """Every position looks back and mixes what it finds."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        C, H, K, D = (
            config.hidden_size,
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        self.q_proj = Linear(C, H * D, bias=config.attention_bias)
        self.k_proj = Linear(C, K * D, bias=config.attention_bias)
        self.v_proj = Linear(C, K * D, bias=config.attention_bias)
        self.o_proj = Linear(H * D, C, bias=False)
        if config.qk_norm:
            self.q_norm = RMSNorm(D, config.rms_norm_eps)
            self.k_norm = RMSNorm(D, config.rms_norm_eps)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], mask: Mask, cache: Cache | None) -> Tensor:
        """(B, T, C) -> (B, T, C). mask (B, 1, T, S) is True where looking is allowed; None is causal."""
        B, T, _ = x.shape
        D = self.config.head_dim
        query = self.q_proj(x).view(B, T, -1, D)
        key = self.k_proj(x).view(B, T, -1, D)
        value = self.v_proj(x).view(B, T, -1, D).transpose(1, 2)  # (B, K, T, D)
        if self.config.qk_norm:
            query, key = self.q_norm(query), self.k_norm(key)
        query = rotate(query.transpose(1, 2), *rope)  # (B, H, T, D)
        key = rotate(key.transpose(1, 2), *rope)  # (B, K, T, D)
        if cache is not None:
            mixed = cache.attend(self.layer, query, key, value, mask)  # (B, H, T, D)
        elif isinstance(mask, Branching):
            mixed = branched_attention.attend(query, key, value, mask)
        elif blocked_attention.fits(query, key):
            mixed = blocked_attention.attend(query, key, value, mask)
        else:
            mixed = attend(query, key, value, mask)
        return self.o_proj(mixed.transpose(1, 2).reshape(B, T, -1))  # type: ignore[no-any-return]


class MLP(nn.Module):
    """SwiGLU: one projection gates another."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        C, wide = config.hidden_size, config.intermediate_size
        self.gate_proj = Linear(C, wide, bias=False)
        self.up_proj = Linear(C, wide, bias=False)
        self.down_proj = Linear(wide, C, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))  # type: ignore[no-any-return]


class Layer(nn.Module):
    """Look around, then think; each adds to the stream."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], mask: Mask, cache: Cache | None) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        x = x + self.self_attn(self.input_layernorm(x), rope, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))  # type: ignore[no-any-return]


class Trunk(nn.Module):
    """Embedding, layers, last norm: everything but the head."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, layer) for layer in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Llama(nn.Module):
    """The whole network: tokens in, a score for every possible next token out."""

    frequencies: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Trunk(config)
        self.lm_head = Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        self.register_buffer("frequencies", rope_frequencies(config), persistent=False)

    def initialise(self, seed: int) -> None:
        """Seeded random weights: normal(0, 0.02), outputs into the stream scaled by 1/sqrt(2 L) (GPT-2)."""
        generator = torch.Generator().manual_seed(seed)
        into_stream = 0.02 / math.sqrt(2 * self.config.num_hidden_layers)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.dim() == 1:
                    parameter.fill_(0.0 if name.endswith("bias") else 1.0)
                else:
                    std = into_stream if name.endswith(("o_proj.weight", "down_proj.weight")) else 0.02
                    parameter.copy_(torch.randn(parameter.shape, generator=generator) * std)

    def hidden(
        self,
        ids: Tensor,
        positions: Tensor | None = None,
        mask: Mask = None,
        cache: Cache | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """The last hidden states after the final norm: ids (B, T) -> (B, T, C).

        positions (B, T) default to 0..T-1 after what the cache holds; mask (B, 1, T, S) defaults to causal,
        and may only take from it, or says which of the tokens of one row are texts of their own. dtype is
        what the layers work in, the weights' own unless given.
        """
        B, T = ids.shape
        start = cache.length if cache is not None else 0
        window, longest = self.config.sliding_window, start + T
        if isinstance(mask, Branching):
            longest = mask.longest
        assert window is None or longest <= window, f"{longest} tokens pass the sliding window of {window}"
        if positions is None:
            positions = torch.arange(start, start + T, device=ids.device)[None]
        if mask is None and start > 0 and T > 1:
            every = torch.arange(start + T, device=ids.device)
            mask = (every[None, :] <= every[start:, None]).expand(B, 1, T, start + T)
        x = self.model.embed_tokens(ids)
        x = x if dtype is None else x.to(dtype)
        angles = positions[:, None, :, None].float() * self.frequencies  # (B, 1, T, D/2)
        rope = (angles.cos().to(x.dtype), angles.sin().to(x.dtype))
        for layer in self.model.layers:
            x = layer(x, rope, mask, cache)
        if cache is not None:
            cache.length += T
        return self.model.norm(x)  # type: ignore[no-any-return]

    def forward(
        self,
        ids: Tensor,
        positions: Tensor | None = None,
        mask: Mask = None,
        cache: Cache | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Scores for the next token at each position: ids (B, T) -> logits (B, T, V)."""
        return self.lm_head(self.hidden(ids, positions, mask, cache, dtype))  # type: ignore[no-any-return]
