"""Forgetting: what finetuning has cost, as the change of bits per byte on documents it was not trained on.

A model that learns to answer changes its weights, and predicts documents a little worse than before. The
same shards are scored before and after, with the same windows, so the difference is the model's own. The
report card shows it in percent of the figure before (examination.py): +5 % are the 5 % of more bits that an
archive of these documents would take.
"""

from __future__ import annotations

from pathlib import Path

import torch

from nextword import engine
from nextword.evaluate.bits_per_byte import BitsPerByte, bits_per_byte
from nextword.model.checkpoint import load_checkpoint
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenizer import Tokenizer


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
