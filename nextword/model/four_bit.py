"""Frozen weights in 4 bits: NF4 and its doubly quantised scales (QLoRA, Dettmers et al. 2023, section 3).

    w  ~  LEVELS[code] * m          code: 4 bits a weight; m: the largest |w| of its block of 64
    m  ~  mean + q * g / 127        q: 8 bits a block; g: one fp32 for 256 blocks

Weights of a trained network are nearly normal, so the 16 levels are the quantiles of a normal distribution:
each is used equally often, which is the most that 4 bits can say. Together 4 + 8/64 + 32/(64 * 256) = 4.127
bits a weight, 0.258 of bf16. Embedding, head and norms keep their precision, as in QLoRA; of a small model
they are a large part, so what a whole model takes is counted (`weight_bytes`), not claimed.

The layer multiplies by weights that are unpacked for the moment of the product. Autograd would keep them for
the backward pass, all layers together, which is the whole model again; so the backward pass unpacks them once
more. That is the price: two unpackings a layer and step. No gradient flows to the weights: an adapter
(lora.py) learns. On a GPU, QLoRA's own kernels fuse the unpacking; here it is plain torch, on any device.

Left out: paged optimiser states (an adapter's are small), and merging into 4-bit weights, which would round
the change away: a finished adapter is merged into the original weights, read again from the disk
(adapter.py).
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextword.model.llama import Linear, Llama

BLOCK = 64
"""Weights that share a scale."""

GROUP = 256
"""Scales that share a scale of their own."""


def _normal_levels() -> tuple[float, ...]:
    """QLoRA's quantiles: 7 below zero, 8 above, and zero itself, which padding and pruned weights need.

    They are evenly spaced in probability on each side, and the outermost ones are 1 and -1. 0.9677083 is the
    mean of 1 - 1/30 and 1 - 1/32: neither end of the distribution is at a finite place.
    """
    end, normal = 0.9677083, NormalDist()

    def side(count: int) -> list[float]:
        return [normal.inv_cdf(end + (0.5 - end) * n / count) for n in range(count)]

    above, below = side(8), [-value for value in side(7)]
    return tuple(value / above[0] for value in sorted([*below, 0.0, *above]))


LEVELS = _normal_levels()


def encode(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Codes and scales: weights (N,) with N a multiple of 64 -> codes (N,) uint8 below 16, scales (N/64,)."""
    blocks = weights.float().reshape(-1, BLOCK)
    scales = blocks.abs().amax(1)
    levels = torch.tensor(LEVELS, device=weights.device)
    middles = (levels[1:] + levels[:-1]) / 2
    relative = blocks / scales.clamp(min=torch.finfo(torch.float32).tiny)[:, None]
    return torch.bucketize(relative, middles).to(torch.uint8).flatten(), scales


def pack(codes: Tensor) -> Tensor:
    """Two codes a byte, the first in its high half: (N,) -> (N/2,) uint8."""
    return codes[0::2] << 4 | codes[1::2]


class FourBitLinear(nn.Module):
    """x W^T + b with W in 4 bits, unpacked in the dtype of x. Made by `of`."""

    pairs: Tensor

    def __init__(self, out_features: int, in_features: int, parts: dict[str, Tensor], bias: Tensor | None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        # Frozen parameters and no buffers: DDP would send buffers to every process before every step.
        self.codes = _frozen(parts["codes"])  # (out in / 2,) uint8, two weights each
        self.scales = _frozen(parts["scales"])  # (blocks,) int8
        self.steps = _frozen(parts["steps"])  # (groups,) fp32: g / 127
        self.middle = _frozen(parts["middle"])  # () fp32: the mean scale
        self.bias = None if bias is None else _frozen(bias)
        pairs = [[high, low] for high in LEVELS for low in LEVELS]  # by byte
        self.register_buffer("pairs", torch.tensor(pairs, device=self.codes.device), persistent=False)

    @staticmethod
    def of(linear: nn.Linear, device: torch.device, dtype: torch.dtype) -> FourBitLinear:
        """A linear layer's weights in 4 bits, on a device; its bias, if any, in dtype."""
        rows, columns = linear.weight.shape
        weights = linear.weight.detach().to(device).flatten()
        codes, scales = encode(F.pad(weights, (0, -len(weights) % BLOCK)))
        middle = scales.mean()
        groups = F.pad(scales - middle, (0, -len(scales) % GROUP)).reshape(-1, GROUP)
        steps = groups.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / 127
        small = (groups / steps[:, None]).round().to(torch.int8).flatten()[: len(scales)]
        parts = {"codes": pack(codes), "scales": small.clone(), "steps": steps, "middle": middle}
        bias = None if linear.bias is None else linear.bias.detach().to(device, dtype)
        return FourBitLinear(rows, columns, parts, bias)

    def unpacked(self, dtype: torch.dtype) -> Tensor:
        """The weights as they count: (out, in)."""
        steps = self.steps.repeat_interleave(GROUP)[: len(self.scales)]
        scales = self.scales * steps + self.middle
        weights = F.embedding(self.codes.int(), self.pairs).view(-1, BLOCK)
        weights *= scales[:, None]
        whole = weights.view(-1)[: self.out_features * self.in_features]
        return whole.view(self.out_features, self.in_features).to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        y: Tensor = _Product.apply(x, self)  # type: ignore[no-untyped-call]
        return y if self.bias is None else y + self.bias.to(x.dtype)


class _Product(torch.autograd.Function):
    """x W^T that keeps no W."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: FourBitLinear) -> Tensor:
        ctx.layer = layer
        return F.linear(x, layer.unpacked(x.dtype))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        return dy @ ctx.layer.unpacked(dy.dtype), None


def to_four_bit(model: Llama, device: torch.device, dtype: torch.dtype) -> Llama:
    """Freeze a model: the linear layers of its layers in 4 bits, all else in dtype, everything on a device.

    One layer is unpacked at a time, so of a model that is mapped from its file no more than that is read into
    memory in full precision.
    """
    model.requires_grad_(False)
    layers = model.model.layers
    linear = {name: module for name, module in layers.named_modules() if isinstance(module, Linear)}
    packed = {parameter for module in linear.values() for parameter in module.parameters()}
    for parameter in model.parameters():  # a tied head once
        if parameter not in packed:
            parameter.data = parameter.data.to(device, dtype)
    for name, module in linear.items():
        layers.set_submodule(name, FourBitLinear.of(module, device, dtype))
    model.frequencies = model.frequencies.to(device)
    return model


def weight_bytes(model: nn.Module) -> int:
    """Bytes that the parameters take, each counted once."""
    return sum(parameter.numel() * parameter.itemsize for parameter in model.parameters())


def _frozen(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad=False)
