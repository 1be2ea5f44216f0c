"""RMSNorm and RoPE with the backward pass written by hand.

Autograd differentiates operation by operation: it keeps every intermediate and walks memory once for each.
On a CPU these two are bound by memory, so the same derivative in fewer passes is twice as fast or more:

    RMSNorm   n = x r,  y = w n,  with r = 1 / sqrt(mean(x^2) + eps)
              g = w dy;  dx = r (g - n mean(g n));  dw = sum over rows of dy n             keeps n and r
    RoPE      y = R(angle) x is a rotation, so dx = R(-angle) dy                           keeps the angles

Tests hold both equal to autograd's own derivative of the plain formula. `torch.compile` fuses them further.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        squares = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=wide).square()
        inverse = torch.rsqrt(squares / x.shape[-1] + eps)  # (..., 1)
        unit = torch.mul(x, inverse).to(x.dtype)  # fp32 inside, rounded once
        ctx.save_for_backward(unit, inverse, weight)
        return unit * weight.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, None]:
        unit, inverse, weight = ctx.saved_tensors
        dyn = dy * unit
        dweight = dyn.flatten(0, -2).sum(0, dtype=inverse.dtype)
        g = dy * weight.to(dy.dtype)
        along = (g * unit).sum(-1, keepdim=True, dtype=inverse.dtype) / unit.shape[-1]  # mean(g n)
        dx = torch.addcmul(g, unit, along.to(dy.dtype), value=-1) * inverse
        return dx.to(dy.dtype), dweight.to(weight.dtype), None


def normalise(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimension; the mean is taken in fp32."""
    result: Tensor = _Normalise.apply(x, weight, eps)  # type: ignore[no-untyped-call]
    return result


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(dy, cos, -sin), None, None


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (x[i], x[i + D/2]) by its position's angle. x (B, H, T, D), cos, sin (B, 1, T, D/2)."""
    result: Tensor = _Rotate.apply(x, cos, sin)  # type: ignore[no-untyped-call]
    return result


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    new_left = torch.addcmul(left * cos, right, sin, value=-1)
    return torch.cat((new_left, torch.addcmul(right * cos, left, sin)), dim=-1)
