"""One training step: forward, backward, clip, update.

`NextTokenLoss` is the model and its loss as one module, so that DDP and FSDP2 can wrap it and their hooks
see every forward. `TrainingStep` takes one process's share of the global batch, cuts it into `accumulation`
pieces that fit the memory, and divides by the number of scored targets of *all* pieces on *all* processes:
the same global batch gives the same gradient however it is cut.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nextword.model.fused_loss import IGNORED, next_token_loss
from nextword.model.llama import Llama
from nextword.train.memory import keep_freed_memory

Precision = Literal["bf16", "fp32"]


@dataclass(frozen=True)
class Batch:
    """One process's rows: inputs, targets (B, T) int64, and optionally each token's document (B, T)."""

    inputs: Tensor
    targets: Tensor
    documents: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def piece(self, start: int, end: int) -> Batch:
        """Rows start..end."""
        documents = None if self.documents is None else self.documents[start:end]
        return Batch(self.inputs[start:end], self.targets[start:end], documents)

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        documents = None if self.documents is None else self.documents.to(device, non_blocking=True)
        inputs, targets = (one.to(device, non_blocking=True) for one in (self.inputs, self.targets))
        return Batch(inputs, targets, documents)


class Updates(Protocol):
    """What a step needs of an optimiser."""

    def step(self) -> None:
        """Change the parameters by their gradients."""
        ...

    def zero_grad(self) -> None:
        """Forget the gradients."""
        ...


class NextTokenLoss(nn.Module):
    """A model and its loss as one module: the sum of -ln p over the scored targets."""

    def __init__(self, model: Llama, only_scored: bool = False) -> None:
        """only_scored: leave ignored targets out of the head's work; its shape then varies."""
        super().__init__()
        self.model, self.only_scored = model, only_scored

    def forward(
        self,
        inputs: Tensor,
        targets: Tensor,
        documents: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """inputs, targets, documents (B, T) -> () fp32. With documents, no token looks into another's.

        Where only answers are learnt, most targets are ignored, and the head is not computed for them.
        """
        mask = None if documents is None else document_mask(documents)
        hidden = self.model.hidden(inputs, mask=mask, dtype=dtype).flatten(0, 1)  # (B T, C)
        targets = targets.flatten()
        if self.only_scored:
            scored = (targets != IGNORED).nonzero().flatten()
            hidden, targets = hidden[scored], targets[scored]
        return next_token_loss(hidden, self.model.lm_head.weight, targets)


def document_mask(documents: Tensor) -> Tensor:
    """Causal, and only within one document: (B, T) -> (B, 1, T, T), True where looking is allowed."""
    same = documents[:, :, None] == documents[:, None, :]
    return torch.tril(same)[:, None]


@dataclass(frozen=True)
class StepResult:
    """Mean loss (nats a token) over the global batch, and the gradient's norm before clipping. Both ().

    tokens: of this step, where steps differ; facts: whatever else this stage's metrics show.
    """

    loss: Tensor
    gradient_norm: Tensor
    tokens: int | None = None
    facts: Mapping[str, float] = field(default_factory=dict)


class TrainingStep:
    """Everything that happens between two batches.

    module: NextTokenLoss, plain or wrapped by DDP or FSDP2. clip: largest gradient norm, 0 for none.
    """

    def __init__(
        self,
        module: nn.Module,
        optimiser: Updates,
        *,
        precision: Precision = "bf16",
        accumulation: int = 1,
        clip: float = 1.0,
        compile: bool = False,
    ) -> None:
        self.module: Any = module  # DDP and FSDP2 add methods of their own
        self.optimiser = optimiser
        self.dtype = torch.bfloat16 if precision == "bf16" else None
        self.accumulation, self.clip = accumulation, clip
        self.parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if self.parameters[0].device.type == "cpu":
            keep_freed_memory()
        self.forward: Any = torch.compile(module) if compile else module

    def step(self, batch: Batch) -> StepResult:
        """Train on one batch: this process's rows."""
        processes = dist.get_world_size() if dist.is_initialized() else 1
        scored = _sum_over_processes((batch.targets != IGNORED).sum())
        rows = -(-len(batch) // self.accumulation)
        total = torch.zeros((), device=batch.inputs.device)
        for start in range(0, len(batch), rows):
            piece = batch.piece(start, start + rows)
            with self._synchronised(start + rows >= len(batch)):
                loss = self.forward(piece.inputs, piece.targets, piece.documents, self.dtype) / scored
                (loss * processes).backward()  # DDP and FSDP2 average over the processes; we want the sum
            total += loss.detach()
        norm = self._clipped()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return StepResult(_sum_over_processes(total), norm)

    def _clipped(self) -> Tensor:
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip or float("inf"))
        return norm.full_tensor() if hasattr(norm, "full_tensor") else norm

    @contextlib.contextmanager
    def _synchronised(self, last: bool) -> Iterator[None]:
        """Exchange gradients only after the last piece."""
        if hasattr(self.module, "set_requires_gradient_sync"):  # FSDP2
            self.module.set_requires_gradient_sync(last)
            yield
        elif hasattr(self.module, "no_sync") and not last:  # DDP
            with self.module.no_sync():
                yield
        else:
            yield


def _sum_over_processes(value: Tensor) -> Tensor:
    if dist.is_initialized():
        dist.all_reduce(value)
    return value
