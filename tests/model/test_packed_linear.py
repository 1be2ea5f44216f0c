"""A packed network must say what the network says, share what it can, and leave the network as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nextword.engine.torch_driver import TorchDriver
from nextword.model import packed_linear
from nextword.model.llama import Linear, Llama
from nextword.model.lora import LoraConfig, add_lora
from nextword.model.packed_linear import PackedLinear, packed


@pytest.fixture
def model(tiny_config, monkeypatch):
    monkeypatch.setattr(packed_linear, "SMALLEST", 1)
    model = Llama(replace(tiny_config, attention_bias=True, tie_word_embeddings=True))
    model.initialise(seed=1)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return model


def kinds(model, kind):
    return sum(type(part) is kind for part in model.modules())


@pytest.mark.parametrize("rows", [1, 5, 33])
def test_scores_are_those_of_the_network(model, rows):
    ids = torch.arange(rows * 7).view(rows, 7) % model.config.vocab_size
    with torch.inference_mode():
        twin = packed(model)
        assert kinds(twin, Linear) == 0 and kinds(twin, PackedLinear) == kinds(model, Linear) > 0
        torch.testing.assert_close(twin(ids), model(ids), rtol=0, atol=1e-5)


def test_the_network_keeps_its_weights_and_still_learns(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    twin = packed(model)
    assert twin.model.embed_tokens.weight is model.model.embed_tokens.weight
    assert twin.model.layers[0].input_layernorm.weight is model.model.layers[0].input_layernorm.weight
    assert kinds(model, PackedLinear) == 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model(torch.tensor([[1, 2, 3]])).sum().backward()
    assert model.model.layers[0].mlp.up_proj.weight.grad is not None


def test_adapters_stay_and_what_they_stand_on_is_packed(model):
    plain = replace(model.config, tie_word_embeddings=False)
    model = Llama(plain)
    model.initialise(seed=1)
    add_lora(model, LoraConfig(rank=2), seed=0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    with torch.inference_mode():
        twin = packed(model)
        assert kinds(twin, PackedLinear) > 0
        torch.testing.assert_close(twin(ids), model(ids), rtol=0, atol=1e-4)


def test_what_cannot_be_packed_stays(model, monkeypatch):
    assert packed(model.bfloat16()) is model
    monkeypatch.setattr(packed_linear, "MOST_BYTES", 100)
    assert packed(model.float()) is model


def test_a_batch_packs_where_many_rows_go_on_for_a_while(model):
    def kind(rows, room):
        batch, _ = TorchDriver(model).begin([[1, 2]] * rows, room)
        return type(batch.model.lm_head)

    assert kind(4, 16) is PackedLinear
    assert kind(3, 16) is Linear and kind(4, 15) is Linear


def test_a_new_batch_sees_what_was_learnt_since(model):
    driver = TorchDriver(model)
    driver.begin([[1, 2]] * 4, 16)
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.mul_(-30)
    batch, _ = driver.begin([[1, 2]] * 4, 16)
    with torch.inference_mode():
        expected = model(torch.tensor([[1, 2, 3]]))[0, -1]
    torch.testing.assert_close(torch.from_numpy(batch.step([3] * 4)[2]), expected, rtol=0, atol=1e-4)
