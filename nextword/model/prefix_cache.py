"""Keys and values of sequences that begin alike: each prompt's once, and of each row what it went on with.

A group's answers share their prompt, and a token's step reads every key and value before it: for short
answers of a small model that is more memory than the weights. Here the rows of one prompt ask it together,
as queries of one product, and only what a row has made itself is its own:

    s = [q K_prompt^T, q K_own^T] / sqrt(D)      p = softmax(s)      out = p_prompt V_prompt + p_own V_own

One softmax over both parts, so the result is that of a cache of each row's own, up to the order of
additions. Products instead of `scaled_dot_product_attention`, which has no two sets of keys; for one new
token there is nothing that a fused kernel would save. Rows may lie in any order, and prompts have unequal
numbers of them: queries are laid out by prompt, with empty places where a prompt has fewer.

Shared prefixes: Hydragen (Juravsky et al. 2024).

Shapes: P prompts, R rows of the prompt with the most, G query heads that share keys (H = K G).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nextword.model.llama import KVCache, Mask


class PrefixCache:
    """What B rows remember; it takes one new token of each at a time.

    length: columns so far, the prompts' padding included.
    """

    def __init__(self, prompts: KVCache, is_real: Tensor | None, owners: Sequence[int], room: int) -> None:
        """prompts: read, and no longer. is_real: (P, S), False on padding; None where there is none.

        owners: of each row the number of its prompt. room: the most tokens that a row will make.
        """
        layers, _, K, self.width, D = prompts.keys.shape
        assert prompts.length == self.width, "the prompts fill their cache"
        self.length = self.width
        self.prompt_keys, self.prompt_values = prompts.keys, prompts.values  # (L, P, K, S, D)
        self.hides = None
        if is_real is not None:
            self.hides = torch.zeros(is_real.shape, dtype=prompts.keys.dtype, device=prompts.keys.device)
            self.hides.masked_fill_(~is_real, -math.inf)
        self.keys = prompts.keys.new_empty(layers, len(owners), K, room, D)
        self.values = torch.empty_like(self.keys)
        self._lay_out(owners)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, mask: Mask) -> Tensor:
        """Store the new (B, K, 1, D) and mix what each row sees: query (B, H, 1, D) -> (B, H, 1, D)."""
        B, H, T, D = query.shape
        assert T == 1 and mask is None, "one token at a time, which sees all before it"
        K, made = key.shape[1], self.length - self.width
        self.keys[layer, :, :, made] = key[:, :, 0]
        self.values[layer, :, :, made] = value[:, :, 0]
        keys, values = (part[layer, :, :, : made + 1].flatten(0, 1) for part in (self.keys, self.values))

        query = (query / math.sqrt(D)).view(B, K, H // K, D)
        own = torch.bmm(query.flatten(0, 1), keys.transpose(1, 2)).view(B, K, H // K, -1)
        shared = self._by_row(self._asked(layer, self._by_prompt(query)))  # (B, K, G, S)
        scores = torch.cat((shared, own), -1)
        chances = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
        of_prompt, of_own = torch.split(chances, [self.width, made + 1], -1)
        mixed = self._by_row(torch.bmm(self._by_prompt(of_prompt), self.prompt_values[layer].flatten(0, 1)))
        mixed = mixed + torch.bmm(of_own.flatten(0, 1), values).view(mixed.shape)
        return mixed.reshape(B, H, 1, D)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order, and with their prompts; one named twice as two."""
        chosen = torch.tensor(rows, device=self.keys.device)
        self.keys, self.values = self.keys[:, chosen], self.values[:, chosen]
        owners = [self.owners[row] for row in rows]
        left = sorted(set(owners))
        if len(left) < self.prompt_keys.shape[1]:
            asked = torch.tensor(left, device=self.keys.device)
            self.prompt_keys, self.prompt_values = self.prompt_keys[:, asked], self.prompt_values[:, asked]
            self.hides = None if self.hides is None else self.hides[asked]
        self._lay_out([left.index(owner) for owner in owners])

    def _lay_out(self, owners: Sequence[int]) -> None:
        """Give each row its place among its prompt's."""
        self.owners, prompts = list(owners), self.prompt_keys.shape[1]
        counts, places = [0] * prompts, []
        for owner in owners:
            places.append((owner, counts[owner]))
            counts[owner] += 1
        self.shape = prompts, max(counts)
        slots = [owner * max(counts) + place for owner, place in places]
        is_even = slots == list(range(prompts * max(counts)))
        self.slots = None if is_even else torch.tensor(slots, device=self.keys.device)

    def _by_prompt(self, rows: Tensor) -> Tensor:
        """(B, K, G, X) -> (P K, R G, X), zeros in empty places."""
        if self.slots is not None:
            P, R = self.shape
            rows = rows.new_zeros(P * R, *rows.shape[1:]).index_copy_(0, self.slots, rows)
        _, K, G, X = rows.shape
        P, R = self.shape
        return rows.view(P, R, K, G, X).transpose(1, 2).reshape(P * K, R * G, X)

    def _by_row(self, asked: Tensor) -> Tensor:
        """(P K, R G, X) -> (B, K, G, X)."""
        P, R = self.shape
        K = len(asked) // P
        rows = asked.view(P, K, R, -1, asked.shape[-1]).transpose(1, 2).flatten(0, 1)
        return rows if self.slots is None else rows[self.slots]

    def _asked(self, layer: int, query: Tensor) -> Tensor:
        """Scores of the prompts' keys: (P K, R G, D) -> (P K, R G, S)."""
        keys = self.prompt_keys[layer].flatten(0, 1).transpose(1, 2)
        if self.hides is None:
            return torch.bmm(query, keys)
        hides = self.hides.repeat_interleave(len(query) // len(self.hides), 0)[:, None]  # (P K, 1, S)
        return torch.baddbmm(hides, query, keys)
