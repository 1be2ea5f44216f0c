"""Rows that share their prompts' keys and values must compute what each computes with a cache of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nextword.engine.torch_driver import TorchDriver
from nextword.model.llama import Llama

PROMPTS = [[5, 6, 7], [9] * 11, [3, 1, 4, 1, 5]]


@pytest.fixture(params=["every head its own keys", "heads that share keys"])
def model(tiny_config, request):
    heads = tiny_config.num_attention_heads
    groups = heads if request.param.startswith("every") else heads // 2
    model = Llama(replace(tiny_config, num_key_value_heads=groups))
    model.initialise(seed=1)
    return model


def plain(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]))[0, -1]


@pytest.mark.parametrize(
    "owners", [[0, 0, 1, 1, 2, 2], [0, 1, 2], [2, 2, 2], [0, 1, 0, 2, 0]], ids=lambda owners: str(owners)
)
def test_every_step_gives_the_scores_of_each_sequence_alone(model, owners):
    rows = [list(PROMPTS[owner]) for owner in owners]
    batch, logits = TorchDriver(model).begin(rows, room=6)
    for step in range(7):
        expected = torch.stack([plain(model, row) for row in rows])
        torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=0, atol=1e-5)
        if step < 6:
            tokens = [10 * step + n for n in range(len(rows))]
            logits = batch.step(tokens)
            rows = [[*row, token] for row, token in zip(rows, tokens, strict=True)]


def test_rows_that_are_kept_go_on_as_they_were_and_unused_prompts_are_let_go(model):
    rows = [list(PROMPTS[owner]) for owner in (0, 0, 1, 2, 2, 2)]
    batch, _ = TorchDriver(model).begin(rows, room=4)
    batch.step([1, 2, 3, 4, 5, 6])
    kept = [5, 1, 5, 3]  # one of them twice
    batch.keep(kept)
    logits = batch.step([7, 8, 10, 9])
    rows = [[*rows[row], row + 1, token] for row, token in zip(kept, (7, 8, 10, 9), strict=True)]
    expected = torch.stack([plain(model, row) for row in rows])
    torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=0, atol=1e-5)
    assert batch.cache.prompt_keys.shape[1] == 2
