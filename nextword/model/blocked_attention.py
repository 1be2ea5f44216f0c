"""Causal attention for the CPU in bf16: matrix products over blocks of queries.

PyTorch's flash attention for CPUs (after Dao et al. 2022) does not reach the bf16 dot-product units that
oneDNN's batched products do: at T = 512 and D = 64 it took a third of the whole training step on a Zen 4
core. So here it is as products again, but block by block of queries, each only with the keys before its end:

    S_i = Q_i K[:e]^T / sqrt(D)     -inf above the diagonal      dP_i   = dO_i V[:e]^T
    P_i = softmax(S_i)                                           dS_i   = P_i (dP_i - rowsum(P_i dP_i))
    O_i = P_i V[:e]                                              dQ_i   = dS_i K[:e] / sqrt(D)
                                                                 dK[:e] += dS_i^T Q_i / sqrt(D)
                                                                 dV[:e] += P_i^T dO_i

Cost: with blocks of b the products do (1 + b/T)/2 of the full square's work, and the probabilities are kept
for the backward pass: B H T^2 / 2 numbers a layer, against flash attention's B H T. `fits` says when that is
too much. Scores are rounded to bf16 (flash attention keeps them in fp32), 0.4 % of a score, as in the eager
attention of `transformers`; the softmax itself sums in fp32.

Keys and values shared by several query heads (GQA) are never repeated: the G queries of a group are rows of
one product.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

BLOCK = 128
"""Queries a block: long enough for the products, short enough to skip most of what is above the diagonal."""

KEPT_BYTES = 256 << 20
"""Most bytes of probabilities that a layer may keep for its backward pass."""


def fits(query: Tensor, key: Tensor) -> bool:
    """Whether this attention is the one to use: on a CPU, in bf16, over the whole of a not too long text."""
    B, H, T, _ = query.shape
    return (
        query.device.type == "cpu"
        and query.dtype == torch.bfloat16
        and 1 < T == key.shape[2]
        and B * H * T * T <= KEPT_BYTES  # half a square of two bytes each
    )


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(Q K^T / sqrt(D)) V, causal: query (B, H, T, D), key and value (B, K, T, D) -> (B, H, T, D).

    mask (B, 1, T, T), True where looking is allowed, must allow nothing ahead and something for every query.
    """
    result: Tensor = _Attend.apply(query, key, value, mask)  # type: ignore[no-untyped-call]
    return result


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v = _grouped(query, key, value)
        N, _, T, D = q.shape
        out = query.new_empty(query.shape[0], T, query.shape[1], D).transpose(1, 2)  # as o_proj wants to read
        kept = []
        for i in range(0, T, BLOCK):
            e = min(i + BLOCK, T)
            rows = (q[:, :, i:e] / math.sqrt(D)).reshape(N, -1, D)  # (N, G b, D)
            keys, values = _before(e, k, v)
            scores = torch.bmm(rows, keys.transpose(1, 2))  # (N, G b, e)
            _hide(scores.view(*query.shape[:2], e - i, e), mask, i, e)
            chances = torch.softmax(scores, -1)
            out[:, :, i:e] = torch.bmm(chances, values).view(*query.shape[:2], e - i, D)
            kept.append(chances)
        ctx.save_for_backward(query, key, value, *kept)
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        query, key, value, *kept = ctx.saved_tensors
        q, k, v = _grouped(query, key, value)
        N, G, T, D = q.shape
        do = dout.view(q.shape) if dout.is_contiguous() else dout.reshape(q.shape)
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for i, chances in zip(range(0, T, BLOCK), kept, strict=True):
            e = min(i + BLOCK, T)
            g = do[:, :, i:e].reshape(N, -1, D)
            keys, values = _before(e, k, v)
            dchances = torch.bmm(g, values.transpose(1, 2))
            dscores = torch._softmax_backward_data(dchances, chances, -1, chances.dtype)
            dq[:, :, i:e] = torch.bmm(dscores, keys).view(N, G, e - i, D)
            dk[:, :e] += torch.bmm(dscores.transpose(1, 2), q[:, :, i:e].reshape(N, -1, D))
            dv[:, :e] += torch.bmm(chances.transpose(1, 2), g)
        scale = 1 / math.sqrt(D)
        return dq.mul_(scale).view(query.shape), dk.mul_(scale).view(key.shape), dv.view(value.shape), None


def _grouped(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Heads that share keys and values side by side: (N, G, T, D) and twice (N, T, D), with N = B K."""
    B, H, T, D = query.shape
    K = key.shape[1]
    shape = (B * K, T, D)
    return query.reshape(B * K, H // K, T, D), key.reshape(shape), value.reshape(shape)


def _before(e: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values before e, as wholes: bmm transposes a part by copying it, slowly, a whole for free."""
    return k[:, :e].contiguous(), v[:, :e].contiguous()


def _hide(scores: Tensor, mask: Tensor | None, i: int, e: int) -> None:
    """Minus infinity where queries i..e of scores (B, H, e - i, e) may not look."""
    if mask is not None:
        scores.masked_fill_(~mask[:, :, i:e, :e], -math.inf)
    else:
        ahead = torch.full((e - i, e - i), -math.inf, dtype=scores.dtype, device=scores.device).triu(1)
        scores[..., i:] += ahead
