"""Token shards as batches of tensors: what the loop trains on in pretraining."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from nextword.tokenizer import loader
from nextword.train.step import Batch


class TokenBatches:
    """The loader's rows as tensors on the device."""

    def __init__(self, rows: loader.TokenLoader, device: torch.device, within_documents: bool) -> None:
        self.rows, self.device, self.within_documents = rows, device, within_documents

    def next(self) -> Batch:
        """The next batch of this process."""
        batch = next(self.rows)
        documents = self._moved(batch.documents) if self.within_documents else None
        return Batch(self._moved(batch.inputs), self._moved(batch.targets), documents)

    def state_dict(self) -> dict[str, Any]:
        """The loader's position."""
        return self.rows.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at a position."""
        self.rows.load_state_dict(state)

    def _moved(self, array: np.ndarray[Any, np.dtype[np.int64]]) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)
