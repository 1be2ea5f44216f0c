"""The optimiser: Muon for hidden matrices, AdamW for the rest, one dial for both rates.

AdamW (Loshchilov & Hutter 2019) has embeddings, head, norms and biases; or everything, with kind="adamw".
State is handed out by parameter name, so that a checkpoint does not depend on the order or the sharding of
parameters, and never needs pickle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nextword.common.settings import option
from nextword.train.muon import Muon

EMBEDDINGS = ("embed_tokens.weight", "lm_head.weight")


@dataclass(frozen=True)
class OptimiserSettings:
    """How far each step goes."""

    kind: Literal["muon", "adamw"] = option("muon", "muon (hidden matrices; AdamW for the rest) or adamw")
    matrix_rate: float = option(0.02, "learning rate of hidden matrices under muon")
    vector_rate: float = option(6e-3, "learning rate of AdamW: embeddings, head, norms (all, with adamw)")
    momentum: float = option(0.95, "momentum of muon")
    betas: tuple[float, float] = option((0.9, 0.95), "AdamW's memory of mean and square")
    weight_decay: float = option(0.0, "decoupled decay of hidden matrices")


class Optimiser:
    """Both optimisers behind one step.

    parameters: by name, as `named_parameters()` gives them, after any FSDP2 wrapping. `factor` is
    the schedule's multiplier of both rates.
    """

    def __init__(
        self,
        parameters: dict[str, nn.Parameter],
        settings: OptimiserSettings,
        precision: Literal["bf16", "fp32"] = "bf16",
    ) -> None:
        self.settings, self.factor, self.steps = settings, 1.0, 0
        hidden = {n: p for n, p in parameters.items() if p.dim() == 2 and not n.endswith(EMBEDDINGS)}
        rest = {n: p for n, p in parameters.items() if n not in hidden}
        self.matrices = hidden if settings.kind == "muon" else {}
        self.others = rest if settings.kind == "muon" else {**hidden, **rest}
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.muon = Muon(list(self.matrices.values()), settings.momentum, settings.weight_decay, dtype)
        decayed = [p for n, p in self.others.items() if n in hidden]
        plain = [p for n, p in self.others.items() if n not in hidden]
        groups = [
            {"params": decayed, "weight_decay": settings.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=settings.vector_rate,
            betas=settings.betas,
            eps=1e-8,
            fused=True,
        )

    def step(self) -> None:
        """Change the parameters by their gradients."""
        self.muon.step(self.settings.matrix_rate * self.factor)
        for group in self.adamw.param_groups:
            group["lr"] = self.settings.vector_rate * self.factor
        self.adamw.step()
        self.steps += 1

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in (*self.matrices.values(), *self.others.values()):
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Everything it remembers, by name; the tensors are the live ones, so loading may copy into them.

        The only number beside them, how many steps were taken, is `self.steps`.
        """
        found = {
            f"muon.{name}": buffer for name, buffer in zip(self.matrices, self.muon.buffers, strict=True)
        }
        for name, parameter in self.others.items():
            remembered = self.adamw.state[parameter]
            if not remembered:
                remembered["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
                remembered["exp_avg"] = torch.zeros_like(parameter)
                remembered["exp_avg_sq"] = torch.zeros_like(parameter)
            found[f"adamw.mean.{name}"] = remembered["exp_avg"]
            found[f"adamw.square.{name}"] = remembered["exp_avg_sq"]
        return found

    def set_steps(self, steps: int) -> None:
        """Say how many steps the state just loaded stands for (AdamW's bias correction needs it)."""
        self.steps = steps
        for parameter in self.others.values():
            self.adamw.state[parameter]["step"].fill_(float(steps))
