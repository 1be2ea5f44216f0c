"""Copying heads: as soon as tokens differ enough, a model says again what followed the last time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nextword.model.config import ModelConfig
from nextword.model.copying_heads import CONSTANT, add_copying_heads, fits
from nextword.model.llama import Llama

GROWN = 4


def untrained(depth=3, has_copying_heads=True, **changes):
    model = Llama(replace(ModelConfig.of_depth(depth, 2048, 512), **changes))
    model.initialise(0)
    if has_copying_heads:
        add_copying_heads(model, 0)
    return model


def copied(model, gap=0):
    """Share of tokens of a random text's second reading that are foretold; `gap` tokens lie between.

    Embeddings are as large as training makes them: at first the constant drowns what tells them apart. And
    the token at hand is left out: it is still in the stream, which training turns from it in a few steps.
    """
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 1:] *= GROWN
    generator = torch.Generator().manual_seed(1)
    text = torch.randint(0, 2048, (8, 60), generator=generator)
    between = torch.randint(0, 2048, (8, gap), generator=generator)
    ids = torch.cat([text, between, text], 1)
    with torch.no_grad():
        scores = model(ids).scatter(-1, ids[..., None], -torch.inf)
    foretold = scores.argmax(-1)[:, 60 + gap : -1]
    return (foretold == text[:, 1:]).float().mean().item()


def test_what_followed_before_is_foretold_by_weights_alone():
    assert copied(untrained()) > 0.1
    assert copied(untrained(has_copying_heads=False)) < 0.01


def test_it_reaches_over_what_lies_between():
    assert copied(untrained(), gap=200) > 0.03


@pytest.mark.parametrize("depth", [2, 4])
def test_any_depth_from_two_on_has_room(depth):
    assert copied(untrained(depth)) > 0.05


def test_a_head_apart_from_the_embedding_begins_as_its_copy():
    model = untrained(tie_word_embeddings=False)
    assert torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)
    assert copied(model) > 0.1


def test_only_the_first_heads_are_written_over():
    plain, made = untrained(has_copying_heads=False), untrained()
    for name, parameter in plain.named_parameters():
        other = dict(made.named_parameters())[name]
        if ".0.self_attn" in name or ".1.self_attn" in name:
            rows = slice(64, None)
            parameter, other = (p[:, rows] if "o_proj" in name else p[rows] for p in (parameter, other))
        elif "embed" in name:
            assert (other[:, 0] == CONSTANT).all()
            continue
        assert torch.equal(parameter, other), name


def test_the_same_seed_gives_the_same_weights():
    one, two = untrained(), untrained()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_shapes_without_room_are_told_from_the_others():
    shape = ModelConfig.of_depth(3, 2048)
    assert fits(shape) and not fits(ModelConfig.of_depth(1, 2048)) and not fits(replace(shape, qk_norm=True))
