"""Plain text beside what a stage learns, so that it does not forget what it learnt from text.

InstructGPT mixes the gradients of pretraining into reinforcement learning (PPO-ptx; Ouyang et al. 2022, eq.
2). A preference forgets as well: what makes one answer likelier than another also moves all other text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nextword.common.errors import BadInput
from nextword.model.llama import Llama
from nextword.tokenizer.loader import TokenLoader
from nextword.tokenizer.shards import Shards
from nextword.train.assistant import Assistant
from nextword.train.stage_settings import AlignmentSettings
from nextword.train.step import Batch, NextTokenLoss
from nextword.train.token_batches import TokenBatches

ROW = 512
"""Tokens of a row, at most."""


class PlainText:
    """Rows of a run's train split (RUN/tokens), in an order that the seed decides."""

    def __init__(self, tokens: Path, settings: AlignmentSettings, assistant: Assistant) -> None:
        """Raises BadInput for shards of another tokenizer, or with less text than a row."""
        shards = Shards.open(tokens, "train", fingerprint=assistant.tokenizer.fingerprint)
        length = min(ROW, assistant.context)
        rows = TokenLoader(shards, settings.ptx_rows, length, seed=settings.seed)
        device = assistant.model.frequencies.device
        self.batches = TokenBatches(rows, device, within_documents=False)

    def next(self) -> Batch:
        """The next rows."""
        return self.batches.next()

    def state_dict(self) -> dict[str, Any]:
        """The position."""
        return self.batches.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at a position."""
        self.batches.load_state_dict(state)


def plain_text(tokens: Path | None, settings: AlignmentSettings, assistant: Assistant) -> PlainText | None:
    """What the settings ask for; BadInput where the text is missing, or given for nothing."""
    if settings.ptx_weight and tokens is None:
        raise BadInput("ptx_weight needs plain text", do="name the token shards with --tokens RUN/tokens")
    if tokens is None:
        return None
    if not settings.ptx_weight:
        raise BadInput("tokens are given, but their weight is 0", do="give --ptx-weight 1 too")
    return PlainText(tokens, settings, assistant)


def text_loss(model: Llama, text: Batch, dtype: torch.dtype | None) -> Tensor:
    """Mean -ln p of the rows' tokens, (); dtype: what the layers work in."""
    total: Tensor = NextTokenLoss(model)(text.inputs, text.targets, text.documents, dtype)
    return total / text.targets.numel()
