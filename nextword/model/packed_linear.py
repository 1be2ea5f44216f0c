"""Linear layers for few rows at a time, their weights laid out once for many products.

A token's step multiplies a matrix of weights by a handful of rows, and a core is then busy with fetching the
weights, not with multiplying. BLAS reads them as they lie, row after row, strips of each in turn; oneDNN can
lay them out beforehand in blocks, in the order in which its kernel will read them. At 256 x 256 and 32 rows
that is 2.5 times as fast on two cores with AVX-512, at 1024 x 1024 too; one row of a small layer gains
nothing. Laying out costs some three products, so a batch that makes a few tokens does not pay for it.

The result is that of `F.linear` up to the order of additions. What is laid out is a copy: it does not follow
the weights when they learn.

oneDNN's blocked weights: `torch.compile` with frozen weights uses the same two operators.
"""

from __future__ import annotations

from typing import TypeGuard, TypeVar

import torch
from torch import Tensor, nn

from nextword.model.llama import Linear

SMALLEST = 1 << 16
"""Weights of a layer below which BLAS is as fast."""

MOST_BYTES = 1 << 30
"""What the copies may take; a larger model stays as it is."""

Module = TypeVar("Module", bound=nn.Module)


class PackedLinear(nn.Module):
    """x W^T + b of fp32 on a CPU, with its own copy of W in blocks."""

    def __init__(self, linear: Linear) -> None:
        super().__init__()
        self.bias = linear.bias
        self.blocks = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), without a gradient."""
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.blocks, self.bias, "none", [], "")
        return y


def packed(module: Module) -> Module:
    """The same network for inference, sharing all but its larger linear layers, which are packed.

    The network itself where it is too large, where there is nothing to pack (not fp32, not on a CPU), or
    where torch lacks oneDNN.
    """
    sizes = [4 * part.weight.numel() for part in module.modules() if _is_packable(part)]
    if not sizes or sum(sizes) > MOST_BYTES or not _is_there():
        return module
    return _twin(module)  # type: ignore[return-value]


def _twin(module: nn.Module) -> nn.Module:
    """A module of the same parameters and buffers, its parts twins of its parts."""
    if _is_packable(module):
        return PackedLinear(module)
    twin = module.__class__.__new__(module.__class__)
    twin.__dict__ = {**module.__dict__, "_modules": {name: _twin(part) for name, part in _parts(module)}}
    return twin


def _parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, part) for name, part in module._modules.items() if part is not None]


def _is_packable(module: nn.Module) -> TypeGuard[Linear]:
    if type(module) is not Linear:
        return False
    weight = module.weight
    return weight.dtype == torch.float32 and weight.device.type == "cpu" and weight.numel() >= SMALLEST


def _is_there() -> bool:
    names = ("_reorder_linear_weight", "_linear_pointwise")
    is_built = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return is_built and all(hasattr(torch.ops.mkldnn, name) for name in names)
