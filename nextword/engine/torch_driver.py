"""The torch driver: a Llama module, equal prompts read once and shared by the rows that go on from them.

Prompts are padded on the left for reading. Positions count from each one's first real token, and the mask
hides the padding; a padded query still sees itself, since a row of a softmax that sees nothing is not a
number. Then each row appends its own tokens to a cache that shares the prompts (`model/prefix_cache.py`).
So each row computes what it would alone, up to the order of additions.

Prompts are read `CHUNK` tokens at a time: the mask of a long prompt would otherwise grow with its square.
Tokens made by many rows for a while are made with packed weights (`model/packed_linear.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nextword.common.errors import BadInput, Missing
from nextword.engine.driver import CACHE_BYTES, Logits
from nextword.model.llama import KVCache, Llama
from nextword.model.packed_linear import packed
from nextword.model.prefix_cache import PrefixCache

CHUNK = 512
"""Prompt tokens computed at once."""

LITTLE = 64
"""Tokens of padding that are not worth a pass of their own."""

ROWS_TO_PACK, STEPS_TO_PACK = 4, 16
"""Rows and new tokens from which on packing the weights pays."""

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
        owners = [places[tuple(prompt)] for prompt in prompts]
        cache, is_real, logits = self._read(list(places))
        is_long = len(prompts) >= ROWS_TO_PACK and room >= STEPS_TO_PACK
        model = packed(self.model) if is_long else self.model
        batch = TorchBatch(model, PrefixCache(cache, is_real, owners, room), list(map(len, prompts)))
        return batch, logits[owners] if len(places) < len(prompts) else logits

    @torch.inference_mode()
    def _read(self, prompts: Sequence[Sequence[int]]) -> tuple[KVCache, Tensor | None, Logits]:
        """A cache that the prompts fill, which of its columns (P, S) are no padding, and (P, V) logits."""
        width = max(map(len, prompts))
        whole = _cache(self.model, len(prompts), width)
        whole.length = width
        logits = np.empty((len(prompts), self.vocab_size), dtype=np.float32)
        for rows in _alike([len(prompt) for prompt in prompts]):
            part, logits[rows] = self._read_alike([prompts[row] for row in rows])
            whole.keys[:, rows, :, width - part.length :] = part.keys
            whole.values[:, rows, :, width - part.length :] = part.values
        lengths = torch.tensor([[len(prompt)] for prompt in prompts], device=self.model.frequencies.device)
        is_real = torch.arange(width, device=lengths.device) >= width - lengths
        return whole, None if is_real.all() else is_real, logits

    def _read_alike(self, prompts: Sequence[Sequence[int]]) -> tuple[KVCache, Logits]:
        """The same for prompts of about one length, which waste little on padding."""
        width, device = max(map(len, prompts)), self.model.frequencies.device
        padding = torch.tensor([width - len(prompt) for prompt in prompts], device=device)
        ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device)
        cache, is_even = _cache(self.model, len(prompts), width), not padding.any()
        for chunk in torch.split(ids, CHUNK, dim=1):
            positions, mask = (None, None) if is_even else _around(padding, cache.length, chunk.shape[1])
            hidden = self.model.hidden(chunk, positions=positions, mask=mask, cache=cache)
        return cache, _logits(self.model, hidden)

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
    """Rows that advance a token a step; what they share of their prompts stands once."""

    def __init__(self, model: Llama, cache: PrefixCache, lengths: Sequence[int]) -> None:
        """lengths: of each row's prompt."""
        self.model, self.cache = model, cache
        self.device = model.frequencies.device
        self.positions = torch.tensor(lengths, device=self.device)[:, None]  # (B, 1), of the next token

    @torch.inference_mode()
    def step(self, tokens: Sequence[int]) -> Logits:
        """Append one token to each row; (B, V) logits after it."""
        ids = torch.tensor(tokens, device=self.device)[:, None]
        hidden = self.model.hidden(ids, positions=self.positions, cache=self.cache)
        self.positions = self.positions + 1
        return _logits(self.model, hidden)

    @torch.inference_mode()
    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only; one named twice goes on as two."""
        self.cache.keep(rows)
        self.positions = self.positions[torch.tensor(rows, device=self.device)]

    def close(self) -> None:
        """Let the cache go."""
        del self.cache


def _alike(lengths: Sequence[int]) -> list[list[int]]:
    """Numbers of prompts in groups of which at most a fifth is padding, or little in all."""
    groups: list[list[int]] = []
    for n in sorted(range(len(lengths)), key=lambda n: lengths[n]):
        together = [*groups[-1], n] if groups else [n]
        padded, real = len(together) * lengths[n], sum(lengths[other] for other in together)
        if groups and padded <= 1.25 * real + LITTLE:
            groups[-1].append(n)
        else:
            groups.append([n])
    return groups


def _around(padding: Tensor, start: int, T: int) -> tuple[Tensor, Tensor]:
    """Positions (B, T) and mask (B, 1, T, S) of T columns from `start`; padding is (B,) columns."""
    keys = torch.arange(start + T, device=padding.device)  # (S,)
    queries = keys[-T:]  # (T,)
    positions = (queries - padding[:, None]).clamp(min=0)
    is_before = keys <= queries[:, None]  # (T, S)
    is_real = keys >= padding[:, None, None]  # (B, 1, S)
    is_self = keys == queries[:, None]  # (T, S)
    return positions, ((is_before & is_real) | is_self)[:, None]


def _logits(model: Llama, hidden: Tensor) -> Logits:
    """Scores after the last column: (B, T, C) -> (B, V)."""
    scores: Tensor = model.lm_head(hidden[:, -1])
    return np.asarray(scores.float().cpu().numpy(), dtype=np.float32)


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
