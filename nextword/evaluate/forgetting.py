"""Forgetting: what finetuning has cost, as the change of bits per byte on documents it was not trained on.

A model that learns to answer changes its weights, and predicts documents a little worse than before. The
same shards are scored before and after, with the same windows, so the difference is the model's own. In
percent of the figure before: +5 % are the 5 % of more bits that an archive of these documents would take.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from nextword import engine
from nextword.common.errors import BadInput
from nextword.evaluate.bits_per_byte import BitsPerByte, bits_per_byte
from nextword.model.checkpoint import load_checkpoint
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenizer import Tokenizer


@dataclass(frozen=True)
class Forgetting:
    """Bits per byte before and after."""

    before: float
    after: float

    @property
    def percent(self) -> float:
        """How much worse it has become, in percent of before; negative is better.

        >>> round(Forgetting(1.70, 1.75).percent, 2)
        2.94
        """
        return 100 * (self.after / self.before - 1)


def forgetting(before: BitsPerByte, after: BitsPerByte) -> Forgetting:
    """The change between two measurements of the same documents; BadInput when they are not."""
    if before.bytes != after.bytes:
        what = f"bits per byte were measured on {before.bytes:,} and on {after.bytes:,} bytes"
        raise BadInput(what, do="measure both on the same documents")
    return Forgetting(before.value, after.value)


def held_out_bits(
    model: Path,
    tokens: Path,
    max_tokens: int | None = None,
    device: str = "cpu",
    autocast: torch.dtype | None = None,
) -> BitsPerByte:
    """Bits per byte of a model folder on a run's held-out shards (`RUN/tokens`).

    BadInput when the shards were made with another tokenizer. The chat template may differ: it adds no token.
    """
    folder = engine.model_folder(model)
    shards = Shards.open(tokens, "heldout", fingerprint=Tokenizer.load(folder).fingerprint)
    network = load_checkpoint(folder, torch.float32, torch.device(device))
    context = network.config.context
    return bits_per_byte(network, shards, context, device=device, max_tokens=max_tokens, autocast=autocast)
