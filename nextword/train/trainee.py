"""What a finetuning trains: the whole model, or a LoRA adapter beside its frozen weights.

    whole      Muon for hidden matrices, AdamW for the rest; a checkpoint holds the model
    adapter    AdamW for all; a checkpoint holds the adapter, and OUT/model is merged from it when it is shown

Why no Muon for an adapter: it gives every singular direction of a matrix's change the same size, and the
change here is that of a product B A. Its factors are r thin directions each; made equally large one by one,
they say nothing of the product's directions. AdamW is what LoRA is known to do well with, at some ten times
the rate of full finetuning; `usual_rate` is the rule of Schulman et al. 2025 ("LoRA Without Regret") for
Llamas. It was found at widths from 2,048 to 8,192; at our small models' 192, where it gives 0.003, the loss
on held-out conversations after three epochs still fell up to 0.008.

A frozen weight is only ever read in the precision of the work, so in a bf16 run the frozen ones are held in
bf16: the same numbers, half the memory. The adapter itself stays fp32.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import nn

from nextword.common.errors import BadInput
from nextword.model.adapter import OURS, merged_model, save_adapter
from nextword.model.checkpoint import load_checkpoint, save_checkpoint
from nextword.model.four_bit import to_four_bit, weight_bytes
from nextword.model.llama import Llama
from nextword.model.lora import TARGETS, LoraConfig, adapter, add_lora
from nextword.train.distributed import Processes
from nextword.train.finetune import FinetuneSettings
from nextword.train.looks import replace_folder
from nextword.train.optimiser import Optimiser, OptimiserSettings
from nextword.train.step import Precision

ADAPTER = "adapter"


def usual_rate(hidden_size: int) -> float:
    """AdamW's rate for an adapter with alpha 32, whatever its rank.

    >>> [f"{usual_rate(width):.1e}" for width in (256, 2048, 4096)]
    ['2.5e-03', '4.9e-04', '2.9e-04']
    """
    return float(5e-5 * 10 * (2000 / hidden_size) ** 0.781)


@dataclass(frozen=True)
class Trainee:
    """A base model opened to be trained, and the `part` of it that learns."""

    settings: FinetuneSettings
    base: Path
    model: Llama
    part: nn.Module

    @staticmethod
    def open(settings: FinetuneSettings, base: Path, processes: Processes) -> Trainee:
        """Open the base as the settings say; BadInput when they ask for what cannot be trained."""
        if not settings.lora:
            model = load_checkpoint(base, torch.float32, processes.device)
            return Trainee(settings, base, model, model)
        if processes.world > 1 and processes.parallel == "fsdp":
            raise BadInput("an adapter is trained on a copy in each process", do="use --parallel ddp")
        config = LoraConfig(
            settings.lora,
            settings.lora_alpha,
            settings.lora_targets or TARGETS,
            settings.lora_dropout,
        )
        dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
        if settings.four_bit:
            model = to_four_bit(load_checkpoint(base, None), processes.device, dtype)
        else:
            model = load_checkpoint(base, dtype, processes.device)
        add_lora(model, config, settings.seed)
        return Trainee(settings, base, model, adapter(model))

    def optimiser(self) -> Optimiser:
        """The optimiser of the part that learns."""
        own = self.settings
        is_muon = own.optimiser == "muon" and not own.lora
        settings = OptimiserSettings(
            kind="muon" if is_muon else "adamw",
            matrix_rate=own.matrix_rate,
            vector_rate=self._lora_rate() if own.lora else own.vector_rate,
            momentum=own.momentum,
            weight_decay=own.weight_decay,
        )
        return Optimiser(dict(self.part.named_parameters()), settings, cast(Precision, own.precision))

    def _lora_rate(self) -> float:
        return self.settings.lora_rate or usual_rate(self.model.config.hidden_size)

    def told(self) -> str:
        """What learns and what the weights take, in a line; "" when all of the model learns."""
        if not self.settings.lora:
            return ""
        learnt = sum(parameter.numel() for parameter in self.part.parameters())
        whole = self.model.config.num_parameters
        held = f"weights {weight_bytes(self.model) / 1e6:,.1f} MB"
        rate = f"at rate {self._lora_rate():.1e}"
        return f"an adapter of {learnt:,} parameters learns {rate} beside {whole:,} frozen ones; {held}"

    def write(self, model: Llama, folder: Path, tokenizer: Path, ends: tuple[int, ...]) -> None:
        """Write the model into `folder` of a checkpoint, or the adapter beside where it would be."""
        if self.settings.lora:
            save_adapter(model, folder.with_name(ADAPTER), self.base)
        else:
            save_checkpoint(model, folder, tokenizer, ends=ends)

    def show(self, checkpoint: Path, out: Path, tokenizer: Path, ends: tuple[int, ...]) -> None:
        """Make OUT/model the model of a checkpoint, to be used like any other."""
        if self.settings.lora:
            replace_folder(out / ADAPTER, checkpoint / ADAPTER, OURS)
            save_checkpoint(
                merged_model(self.base, checkpoint / ADAPTER), out / "model", tokenizer, ends=ends
            )
        else:
            replace_folder(out / "model", checkpoint / "model")
