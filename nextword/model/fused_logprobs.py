"""The head and the log-probability of each target as one operation, chunk by chunk of tokens.

`fused_loss` sums -ln p over a batch and so knows the gradient in the forward pass already. Preferences and
policies weigh each token by what is known only later (the other side of a pair, an advantage), so here every
token keeps its own log-probability and the gradient g of each comes in the backward pass:

    z = h W^T      lse = ln sum exp z      logp = z[y] - lse      entropy = lse - sum p z
    dz = g (onehot(y) - p)                 dh = dz W              dW = dz^T h

The textbook keeps all logits in fp32 and autograd adds two more tensors of their size. Here a chunk stays in
the cache; of it only p is kept for the backward pass, in the precision of the hidden states, and not even
that beyond `KEPT_BYTES`: then p is computed again, one more product of the head.

Callers give only the positions that are scored (prompts are not), so the head works for the answers alone.
Entropy is for looking at: no gradient flows through it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nextword.model.fused_loss import CHUNK, FEWEST_ROWS, LARGE_CHUNK

KEPT_BYTES = 512 << 20
"""Most bytes of probabilities that are kept from the forward to the backward pass."""


def target_logprobs(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """ln p of each target, and the entropy at its place: (N, C), (V, C), (N,) int64 -> twice (N,) fp32."""
    found: tuple[Tensor, Tensor] = _TargetLogprobs.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
    return found


class _TargetLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        N, W = len(hidden), weight.to(hidden.dtype)
        logprobs = torch.empty(N, dtype=torch.float32, device=hidden.device)
        entropies, sums = torch.empty_like(logprobs), torch.empty_like(logprobs)
        size = N * len(weight) * hidden.dtype.itemsize
        is_kept = any(ctx.needs_input_grad) and size <= KEPT_BYTES
        kept = hidden.new_empty(N if is_kept else 0, len(weight))
        for part in _parts(hidden, weight):
            z = (hidden[part] @ W.t()).float()  # (rows, V)
            lse = z.logsumexp(-1)
            logprobs[part] = z.gather(1, targets[part, None])[:, 0] - lse
            chances = torch.exp(z - lse[:, None])
            entropies[part] = lse - torch.linalg.vecdot(chances, z)
            sums[part] = lse
            if is_kept:
                kept[part] = chances
        ctx.save_for_backward(hidden, weight, targets, sums, kept)
        ctx.mark_non_differentiable(entropies)
        return logprobs, entropies

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None]:
        hidden, weight, targets, sums, kept = ctx.saved_tensors
        W = weight.to(hidden.dtype)
        dhidden = torch.empty_like(hidden)
        dweight = torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))
        for part in _parts(hidden, weight):
            h, g = hidden[part], gradient[part, None].to(hidden.dtype)
            if len(kept):
                dz = kept[part] * -g
            else:
                dz = torch.exp((h @ W.t()).float() - sums[part, None]).to(h.dtype) * -g
            dz.scatter_add_(1, targets[part, None], g)
            dhidden[part] = dz @ W
            dweight += dz.t() @ h
        return dhidden, dweight.to(weight.dtype), None


def _parts(hidden: Tensor, weight: Tensor) -> list[slice]:
    """Slices of the tokens whose logits stay in a cache together."""
    rows = max(CHUNK.get(hidden.device.type, LARGE_CHUNK) // len(weight), FEWEST_ROWS)
    return [slice(start, start + rows) for start in range(0, len(hidden), rows)]
