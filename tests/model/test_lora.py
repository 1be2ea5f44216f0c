"""LoRA: it begins as the base, only the adapter learns, and a merge can be undone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nextword.common.errors import BadInput
from nextword.model.four_bit import to_four_bit
from nextword.model.fused_loss import next_token_loss
from nextword.model.llama import Linear, Llama
from nextword.model.lora import (
    TARGETS,
    LoraConfig,
    LoraLinear,
    absorb,
    adapted_layers,
    adapter,
    add_lora,
    linear_layers,
    merge,
    unmerge,
)

IDS = torch.randint(0, 512, (2, 12), generator=torch.Generator().manual_seed(7))


def shaken(model, config=LoraConfig(rank=4, alpha=8), seed=0):  # noqa: B008 (frozen)
    """The model with an adapter that has learnt something."""
    add_lora(model, config, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for _, layer in adapted_layers(model):
            layer.lora_B.weight.copy_(torch.randn(layer.lora_B.weight.shape, generator=generator) * 0.1)
    return model


def test_a_new_adapter_changes_no_answer(tiny_model):
    before = tiny_model(IDS)
    add_lora(tiny_model, LoraConfig(), seed=0)
    assert torch.equal(tiny_model(IDS), before)


def test_every_linear_layer_of_every_layer_is_adapted_by_default(tiny_model):
    wanted = linear_layers(tiny_model, TARGETS)
    add_lora(tiny_model, LoraConfig(), seed=0)
    assert [name for name, _ in adapted_layers(tiny_model)] == wanted
    assert len(wanted) == 7 * tiny_model.config.num_hidden_layers


def test_only_the_adapter_takes_gradients_and_is_trained(tiny_model):
    add_lora(tiny_model, LoraConfig(), seed=0)
    learnt = {name for name, one in tiny_model.named_parameters() if one.requires_grad}
    assert learnt and all(".lora_" in name for name in learnt)
    assert set(map(id, adapter(tiny_model).parameters())) == {
        id(one) for one in tiny_model.parameters() if one.requires_grad
    }


def test_a_step_changes_the_adapter_and_nothing_else(tiny_model):
    shaken(tiny_model)
    before = {name: one.clone() for name, one in tiny_model.named_parameters()}
    optimiser = torch.optim.SGD([one for one in tiny_model.parameters() if one.requires_grad], lr=0.1)
    hidden = tiny_model.hidden(IDS).flatten(0, 1)
    next_token_loss(hidden, tiny_model.lm_head.weight, IDS.flatten()).backward()
    optimiser.step()
    changed = {name for name, one in tiny_model.named_parameters() if not torch.equal(one, before[name])}
    assert changed == {name for name in before if ".lora_" in name}


def test_the_same_seed_gives_the_same_adapter_and_another_another(tiny_config):
    first, again, other = Llama(tiny_config), Llama(tiny_config), Llama(tiny_config)
    for model, seed in ((first, 1), (again, 1), (other, 2)):
        add_lora(model, LoraConfig(), seed)
    factors = [torch.cat([one.flatten() for one in adapter(model).parameters()]) for model in (first, again)]
    assert torch.equal(*factors)
    assert not torch.equal(factors[0], torch.cat([one.flatten() for one in adapter(other).parameters()]))


@settings(max_examples=25)
@given(
    rank=st.integers(1, 9),
    alpha=st.floats(0.5, 64),
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    by_root=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_merged_layer_answers_alike_and_unmerges_to_what_it_was(rank, alpha, rows, columns, by_root, seed):
    generator = torch.Generator().manual_seed(seed)
    base = Linear(columns, rows, bias=True)
    layer = LoraLinear(base, LoraConfig(rank, alpha, by_root=by_root), torch.device("cpu"))
    layer.start(generator)
    with torch.no_grad():
        for parameter in (base.weight, base.bias, layer.lora_B.weight):
            parameter.normal_(generator=generator)
    before, x = base.weight.detach().clone(), torch.randn(3, columns, generator=generator)
    expected = layer(x)
    largest = max(float(one.detach().abs().max()) for one in (layer.weight, before))
    layer.merge()
    assert torch.allclose(layer(x), expected, atol=1e-5 * (1 + largest * columns), rtol=0)
    layer.unmerge()
    # two sums, each rounded to half a unit in the last place of the larger side
    assert float((base.weight.detach() - before).abs().max()) <= 2 * largest * torch.finfo(torch.float32).eps


def test_merging_and_unmerging_twice_is_once(tiny_model):
    shaken(tiny_model)
    plain = tiny_model(IDS)
    merge(tiny_model)
    merge(tiny_model)
    assert torch.allclose(tiny_model(IDS), plain, atol=1e-4)
    unmerge(tiny_model)
    unmerge(tiny_model)
    assert torch.allclose(tiny_model(IDS), plain, atol=1e-4)


def test_an_absorbed_adapter_leaves_a_plain_model_with_the_names_of_a_checkpoint(tiny_model, tiny_config):
    shaken(tiny_model)
    expected = tiny_model(IDS)
    absorb(tiny_model)
    assert set(tiny_model.state_dict()) == set(Llama(tiny_config).state_dict())
    assert torch.allclose(tiny_model(IDS), expected, atol=1e-4)


def test_an_adapted_head_learns_through_the_fused_loss(tiny_model):
    shaken(tiny_model, LoraConfig(rank=2, targets=("lm_head",)))
    head, hidden = tiny_model.lm_head, tiny_model.hidden(IDS).flatten(0, 1)
    next_token_loss(hidden, head.weight, IDS.flatten()).backward()
    found = head.lora_A.weight.grad.clone()
    head.lora_A.weight.grad = None
    torch.nn.functional.cross_entropy(head(hidden), IDS.flatten(), reduction="sum").backward()
    assert torch.allclose(found, head.lora_A.weight.grad, atol=1e-3, rtol=1e-4)


def test_a_head_that_is_one_with_the_embedding_is_refused(tiny_config):
    from dataclasses import replace

    with pytest.raises(BadInput, match="lm_head is one with the embedding"):
        add_lora(Llama(replace(tiny_config, tie_word_embeddings=True)), LoraConfig(targets=("lm_head",)), 0)


def test_dropout_is_off_by_default_and_never_on_while_the_model_is_only_looked_at(tiny_model):
    assert LoraConfig().dropout == 0
    shaken(tiny_model, LoraConfig(rank=4, dropout=0.5)).train()
    with torch.no_grad():
        assert torch.equal(tiny_model(IDS), tiny_model(IDS))
    assert not torch.equal(tiny_model(IDS), tiny_model(IDS))


@pytest.mark.parametrize(
    "options",
    [{"rank": 0}, {"alpha": 0.0}, {"alpha": float("nan")}, {"dropout": 1.0}, {"targets": ()}],
)
def test_an_adapter_that_cannot_be_is_refused(options):
    with pytest.raises(BadInput):
        LoraConfig(**options)


def test_an_unknown_layer_is_refused_by_name():
    with pytest.raises(BadInput, match=r"'query'.*q_proj"):
        LoraConfig(targets=("query",))


def test_four_bit_weights_take_no_merge(tiny_model):
    shaken(to_four_bit(tiny_model, torch.device("cpu"), torch.float32))
    with pytest.raises(AssertionError, match="only full weights take a change"):
        merge(tiny_model)
