"""The head and the cross-entropy as one operation, chunk by chunk of tokens.

The textbook computes all logits (B T, V), keeps them in fp32, and comes back for the gradient: at V = 4096
these are the largest tensors of the step by far, and their traffic costs as much as the head's product. But
the gradient of the loss by the logits needs nothing from later in the backward pass,

    loss = sum over t of -ln softmax(z_t)[y_t]        z = h W^T
    dz   = softmax(z) - onehot(y)                     dh = dz W      dW = dz^T h

so the forward pass computes it on the spot, for a chunk of tokens that stays in the cache, and keeps dh and
dW only; the backward pass multiplies them by the incoming gradient. Liger Kernel and Cut Cross-Entropy
(Wijmans et al. 2024) do the same on GPUs.

In bf16 the probabilities are rounded too (the exponentials are summed in fp32): 0.1 % of one token's p, so
2e-5 nats of the mean over 4096 tokens, less than what rounding the logits does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK = {"cpu": 4 << 20}
"""Logits computed at a time on a kind of device: on a CPU 8 MB of bf16, at home in a last-level cache."""

LARGE_CHUNK, FEWEST_ROWS = 256 << 20, 512
"""... and elsewhere, where products must be large; but never fewer rows: each chunk adds to all of dW."""

IGNORED = -100
"""The target of a position that is not scored (as in transformers and F.cross_entropy)."""

TINY = torch.finfo(torch.float32).tiny
"""Least probability the loss tells from zero: 87 nats."""


def next_token_loss(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Sum of -ln p(target): hidden (N, C), the head's weight (V, C), targets (N,) int64 -> () fp32."""
    loss: Tensor = _NextTokenLoss.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
    return loss


class _NextTokenLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        W = weight.to(hidden.dtype)
        rows = max(CHUNK.get(hidden.device.type, LARGE_CHUNK) // len(weight), FEWEST_ROWS)
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        dhidden = torch.empty_like(hidden)
        dweight = torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))
        for start in range(0, len(hidden), rows):
            h, y = hidden[start : start + rows], targets[start : start + rows]
            scored, y = (y != IGNORED)[:, None], y.clamp(min=0)
            row = torch.arange(len(y), device=y.device)
            chances = torch.softmax(h @ W.t(), -1)  # (rows, V)
            right = chances[row, y]  # (rows,)
            loss -= (right.float().clamp(min=TINY).log() * scored[:, 0]).sum()
            if any(ctx.needs_input_grad):
                dz = chances.index_put_((row, y), right - 1)  # scatter_ would copy the whole
                dhidden[start : start + rows] = (dz @ W) * scored
                dweight += dz.t() @ (h * scored)
        ctx.save_for_backward(dhidden, dweight.to(weight.dtype))
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        dhidden, dweight = ctx.saved_tensors
        return dhidden * gradient, dweight * gradient, None
