"""What a local model must offer to be driven: a vocabulary, and batches that turn tokens into logits.

torch and run.c stand behind these three; `LocalModel` makes a LanguageModel of them, and so requests, the
sampler, stop strings and events exist once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]

CACHE_BYTES = 4 << 30
"""The most memory that the keys and values of a batch may take."""


class Vocabulary(Protocol):
    """Text to ids and ids to bytes. `nextword.tokenizer.Tokenizer` is one."""

    @property
    def bos(self) -> int | None:
        """The token that begins a document, if there is one."""
        ...

    @property
    def vocab_size(self) -> int:
        """How many tokens there are."""
        ...

    @property
    def special(self) -> dict[str, int]:
        """Special tokens by the way they are written."""
        ...

    @property
    def chat_template(self) -> str | None:
        """The Jinja template that writes a conversation, if there is one."""
        ...

    def encode(self, text: str) -> list[int]:
        """Ids of plain text: what looks like a special token in it is text."""
        ...

    def token_bytes(self, id: int) -> bytes:
        """The bytes of one token; b"" for a special one."""
        ...


class Batch(Protocol):
    """Sequences that advance together, one token each a step."""

    def step(self, tokens: Sequence[int]) -> Logits:
        """Append a token to each sequence; (B, V) logits of what comes next."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order; a row named twice goes on as two."""
        ...

    def close(self) -> None:
        """Give the memory back; a closed batch is not used again."""
        ...


class Driver(Protocol):
    """Weights that can be run."""

    @property
    def name(self) -> str:
        """What a person calls this model."""
        ...

    @property
    def context(self) -> int:
        """The most tokens a sequence may have."""
        ...

    @property
    def vocab_size(self) -> int:
        """How many logits there are; padding after the vocabulary's last token included."""
        ...

    def rows(self, positions: int) -> int:
        """How many sequences of so many positions fit into memory together; at least 1."""
        ...

    def begin(self, prompts: Sequence[Sequence[int]], room: int) -> tuple[Batch, Logits]:
        """Read the prompts, with room for so many more tokens; the batch and its first (B, V) logits."""
        ...

    def logprobs(self, ids: Sequence[int], start: int) -> list[float]:
        """Natural-log probability of each of ids[start:] after what stands before it; start is at least 1."""
        ...
