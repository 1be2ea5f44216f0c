"""The torch driver: a Llama module, prompts padded on the left, one KV cache a batch.

Left padding makes every row's newest token stand in the last column, so a step appends one column for all.
Positions count from each row's first real token, and the mask hides the padding; a padded query still sees
itself, since a row of a softmax that sees nothing is not a number. So each row computes what it would alone,
up to the order of additions.

Prompts are read `CHUNK` tokens at a time: the mask of a long prompt would otherwise grow with its square.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nextword.common.errors import BadInput, Missing
from nextword.engine.driver import CACHE_BYTES, Logits
from nextword.model.llama import KVCache, Llama

CHUNK = 512
"""Prompt tokens computed at once."""

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


class TorchDriver:
    """Runs a Llama module where its weights are; nothing of it is changed."""

    def __init__(self, model: Llama, name: str = "model") -> None:
        self.model, self.name = model, name
        self.context, self.vocab_size = model.config.context, model.config.vocab_size

    def rows(self, positions: int) -> int:
        """How many sequences of so many positions fit into `CACHE_BYTES`."""
        config, itemsize = self.model.config, self.model.lm_head.weight.dtype.itemsize
        each = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * itemsize
        return max(1, CACHE_BYTES // (each * max(positions, 1)))

    def begin(self, prompts: Sequence[Sequence[int]], room: int) -> tuple[TorchBatch, Logits]:
        """Read the prompts together, equal ones once; the batch and (B, V) logits after each."""
        places = {prompt: n for n, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
        batch = TorchBatch(self.model, [len(prompt) for prompt in places], room)
        width = max(len(prompt) for prompt in places)
        logits = batch.read(torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in places]))
        if len(places) < len(prompts):
            rows = [places[tuple(prompt)] for prompt in prompts]
            batch.keep(rows)
            logits = logits[rows]
        return batch, logits

    @torch.inference_mode()
    def logprobs(self, ids: Sequence[int], start: int) -> list[float]:
        """Natural-log probability of each of ids[start:], computed a chunk at a time."""
        model, device = self.model, self.model.frequencies.device
        tokens = torch.tensor([list(ids)], device=device)
        cache = _cache(model, 1, len(ids))
        found: list[float] = []
        for begin in range(0, len(ids) - 1, CHUNK):
            end = min(begin + CHUNK, len(ids) - 1)
            hidden = model.hidden(tokens[:, begin:end], cache=cache)[0]  # (T, C)
            first = max(start - 1, begin)  # the row that predicts the first token asked for
            if first < end:
                scores = model.lm_head(hidden[first - begin :]).float().log_softmax(-1)
                found += scores.gather(1, tokens[0, first + 1 : end + 1, None])[:, 0].tolist()
        return found


class TorchBatch:
    """Rows of one cache, growing by a column a step."""

    def __init__(self, model: Llama, lengths: Sequence[int], room: int) -> None:
        self.model, self.device = model, model.frequencies.device
        width = max(lengths)
        self.padding = torch.tensor([width - length for length in lengths], device=self.device)  # (B,)
        self.is_even = min(lengths) == width  # nothing to hide: positions and mask are the model's own
        self.cache = _cache(model, len(lengths), width + room)

    def read(self, columns: Tensor) -> Logits:
        """Append (B, T) columns of tokens; (B, V) logits after the last."""
        for chunk in torch.split(columns, CHUNK, dim=1):
            logits = self._forward(chunk.to(self.device))
        return logits

    def step(self, tokens: Sequence[int]) -> Logits:
        """Append one token to each row; (B, V) logits after it."""
        return self.read(torch.tensor(tokens)[:, None])

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only."""
        chosen = torch.tensor(rows, device=self.device)
        self.padding = self.padding[chosen]
        self.cache.keys, self.cache.values = self.cache.keys[:, chosen], self.cache.values[:, chosen]

    def close(self) -> None:
        """Let the cache go."""
        del self.cache

    @torch.inference_mode()
    def _forward(self, ids: Tensor) -> Logits:
        positions, mask = (None, None) if self.is_even else self._around_padding(ids.shape[1])
        hidden = self.model.hidden(ids, positions=positions, mask=mask, cache=self.cache)
        logits: Tensor = self.model.lm_head(hidden[:, -1])
        return np.asarray(logits.float().cpu().numpy(), dtype=np.float32)

    def _around_padding(self, T: int) -> tuple[Tensor, Tensor]:
        """Positions (B, T) and mask (B, 1, T, S) of the next T columns."""
        keys = torch.arange(self.cache.length + T, device=self.device)  # (S,)
        queries = keys[-T:]  # (T,)
        positions = (queries - self.padding[:, None]).clamp(min=0)
        is_before = keys <= queries[:, None]  # (T, S)
        is_real = keys >= self.padding[:, None, None]  # (B, 1, S)
        is_self = keys == queries[:, None]  # (T, S)
        return positions, ((is_before & is_real) | is_self)[:, None]


def _cache(model: Llama, rows: int, capacity: int) -> KVCache:
    weight = model.lm_head.weight
    return KVCache(model.config, rows, capacity, weight.dtype, weight.device)


def chosen_device(device: str) -> torch.device:
    """The device of that name; "auto" takes CUDA, then MPS, then the CPU. Missing when it is not there."""
    is_there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(name for name in is_there if is_there[name])
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        do = "choose auto, cpu, cuda or mps"
        raise BadInput(f"no device is called {device!r}", do=do) from error
    if not is_there.get(chosen.type, False):
        raise Missing(f"no {chosen.type} device here", do="choose cpu")
    return chosen
