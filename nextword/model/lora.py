"""LoRA (Hu et al. 2021): frozen weights, and beside each a small product that learns.

    y = W x + s B A x        A (r, in), B (out, r), s = alpha / r

The change that finetuning makes to a weight matrix is of low rank, near enough; so its two thin factors are
learnt and the matrix stays as it is. What that saves is memory: gradients and the optimiser's two moments for
the factors only, a checkpoint of megabytes, and frozen weights that may be held in any precision
(four_bit.py). The work of a step falls by a third at most, since gradients must still pass through every
layer.

A begins random, U(-1/sqrt(in), 1/sqrt(in)), and B at zero, so that the adapted model begins as the base.
Every linear layer may be adapted; by default all seven of a layer are, as QLoRA (Dettmers et al. 2023) found
needed to match full finetuning. Once W + s B A is computed (`merge`) nothing is left to pay at inference.

An adapted layer is a module of its own around the one it found, so names are those of PEFT: the model's own,
then `lora_A.weight` and `lora_B.weight`. A head that is one with the embedding is refused: the change would
be made to one of the two only, and the folder could no longer say that they are tied.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextword.common.errors import BadInput
from nextword.model.llama import Linear, Llama

HEAD = "lm_head"
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers of a layer of the network."""


@dataclass(frozen=True)
class LoraConfig:
    """Which layers are adapted and how. dropout is of the adapter's input, while training."""

    rank: int = 16
    alpha: float = 32.0
    targets: tuple[str, ...] = TARGETS
    dropout: float = 0.0
    by_root: bool = False
    """Whether s = alpha / sqrt(r) (rank-stabilised, Kalajdzievski 2023), as some adapters have it."""

    def __post_init__(self) -> None:
        if self.rank < 1 or not 0 < self.alpha < math.inf or not 0 <= self.dropout < 1:
            said = f"rank {self.rank}, alpha {self.alpha}, dropout {self.dropout}"
            raise BadInput(f"no adapter has {said}", do="rank 16, alpha 32, dropout 0 is a start")
        unknown = [name for name in self.targets if name not in (*TARGETS, HEAD)]
        if unknown or not self.targets:
            known = ", ".join((*TARGETS, HEAD))
            raise BadInput(f"no linear layer is called {unknown[:1] or 'nothing'}", do=f"choose from {known}")

    @property
    def scaling(self) -> float:
        """s: what the product is multiplied by."""
        return self.alpha / (math.sqrt(self.rank) if self.by_root else self.rank)


class LoraLinear(nn.Module):
    """A frozen linear layer (`base`: Linear, or FourBitLinear) and the product that learns beside it."""

    def __init__(self, base: nn.Module, config: LoraConfig, device: torch.device) -> None:
        super().__init__()
        self.base, self.config = base, config
        self.lora_A = Linear(_size(base, "in"), config.rank, bias=False, device=device)
        self.lora_B = Linear(config.rank, _size(base, "out"), bias=False, device=device)
        self.is_merged = False

    def start(self, generator: torch.Generator) -> None:
        """A random, B zero."""
        A = self.lora_A.weight
        noise = torch.rand(A.shape, generator=generator) * 2 - 1
        with torch.no_grad():
            A.copy_(noise / math.sqrt(A.shape[1]))
            self.lora_B.weight.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        y: Tensor = self.base(x)
        if self.is_merged:
            return y
        if self.config.dropout and self.training and torch.is_grad_enabled():  # not while it is looked at
            x = F.dropout(x, self.config.dropout)
        low: Tensor = self.lora_A(x)  # (..., r)
        change: Tensor = self.lora_B(low)
        return y + change * self.config.scaling

    def change(self) -> Tensor:
        """s B A, (out, in), in the adapter's fp32."""
        return (self.lora_B.weight @ self.lora_A.weight) * self.config.scaling

    @property
    def weight(self) -> Tensor:
        """The weight that this layer acts by, differentiable; what the fused losses take of the head."""
        base = _plain(self.base).weight
        return base if self.is_merged else base + self.change()

    @torch.no_grad()
    def merge(self) -> None:
        """Add the change to the base's weight, which must be a plain one; a second time changes nothing."""
        if not self.is_merged:
            _plain(self.base).weight.add_(self.change())
            self.is_merged = True

    @torch.no_grad()
    def unmerge(self) -> None:
        """Take it out again: in fp32 the weight is what it was but for the rounding of the two sums."""
        if self.is_merged:
            _plain(self.base).weight.sub_(self.change())
            self.is_merged = False


def add_lora(model: Llama, config: LoraConfig, seed: int) -> None:
    """Freeze the model and put an adapter beside each target. A model can be given this once."""
    check_targets(model, config)
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name in linear_layers(model, config.targets):
        adapt(model, name, config).start(generator)


def adapt(model: Llama, name: str, config: LoraConfig) -> LoraLinear:
    """Wrap the one layer of this name; the adapter's weights are still to be set."""
    layer = LoraLinear(model.get_submodule(name), config, model.frequencies.device)
    model.set_submodule(name, layer)
    return layer


def check_targets(model: Llama, config: LoraConfig) -> None:
    """BadInput for a head that is tied to the embedding."""
    if HEAD in config.targets and model.config.tie_word_embeddings:
        raise BadInput(f"{HEAD} is one with the embedding in this model", do=f"leave {HEAD} out")


def linear_layers(model: Llama, targets: tuple[str, ...]) -> list[str]:
    """The names of the model's linear layers that are called so, in its own order."""
    names = (name for name, module in model.named_modules() if hasattr(module, "in_features"))
    return [name for name in names if name.rpartition(".")[2] in targets]


def adapted_layers(model: nn.Module) -> Iterator[tuple[str, LoraLinear]]:
    """Every adapted layer by the name that its base has in the model."""
    for name, module in model.named_modules():
        if isinstance(module, LoraLinear):
            yield name, module


def adapter(model: nn.Module) -> nn.Module:
    """The part that learns, alone: what an optimiser and a training state hold. It shares the parameters."""
    parts = {
        name.replace(".", "/"): nn.ModuleDict({"lora_A": layer.lora_A, "lora_B": layer.lora_B})
        for name, layer in adapted_layers(model)
    }
    return nn.ModuleDict(parts)


def merge(model: nn.Module) -> None:
    """Add every change to its weight: the same answers, and nothing left to pay for them."""
    for _, layer in adapted_layers(model):
        layer.merge()


def unmerge(model: nn.Module) -> None:
    """Take every change out again."""
    for _, layer in adapted_layers(model):
        layer.unmerge()


def absorb(model: Llama) -> Llama:
    """Merge for good: the same module with plain layers again, as a checkpoint folder has them."""
    merge(model)
    for name, layer in list(adapted_layers(model)):
        model.set_submodule(name, layer.base)
    return model


def _plain(base: nn.Module) -> Linear:
    assert isinstance(base, Linear), "only full weights take a change: merge into those on the disk"
    return base


def _size(base: nn.Module, side: str) -> int:
    return int(getattr(base, f"{side}_features"))
