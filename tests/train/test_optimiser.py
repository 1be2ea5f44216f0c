from __future__ import annotations

import torch

from nextword.model.llama import Llama
from nextword.train.optimiser import Optimiser, OptimiserSettings


def _optimiser(model: Llama, **settings) -> Optimiser:
    return Optimiser(dict(model.named_parameters()), OptimiserSettings(**settings), "fp32")


def _with_gradients(model: Llama, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_muon_has_the_hidden_matrices_and_adamw_the_rest(tiny_model):
    optimiser = _optimiser(tiny_model)
    assert all(".layers." in name and "norm" not in name for name in optimiser.matrices)
    assert "model.embed_tokens.weight" in optimiser.others and "lm_head.weight" in optimiser.others
    assert optimiser.matrices.keys() | optimiser.others.keys() == dict(tiny_model.named_parameters()).keys()


def test_adamw_alone_has_everything(tiny_model):
    optimiser = _optimiser(tiny_model, kind="adamw")
    assert not optimiser.matrices and len(optimiser.others) == len(list(tiny_model.parameters()))


def test_adamw_alone_is_torchs_adamw(tiny_model, tiny_config):
    twin = Llama(tiny_config)
    twin.load_state_dict(tiny_model.state_dict())
    peer = torch.optim.AdamW(twin.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
    ours = _optimiser(tiny_model, kind="adamw", vector_rate=1e-3)
    for seed in range(3):
        _with_gradients(tiny_model, seed)
        _with_gradients(twin, seed)
        ours.step()
        peer.step()
    for mine, theirs in zip(tiny_model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


def test_the_factor_scales_every_step(tiny_model):
    optimiser = _optimiser(tiny_model)
    before = [parameter.clone() for parameter in tiny_model.parameters()]
    optimiser.factor = 0.0
    _with_gradients(tiny_model)
    optimiser.step()
    assert all(torch.equal(a, b) for a, b in zip(before, tiny_model.parameters(), strict=True))


def test_state_put_into_a_new_optimiser_continues_bit_for_bit(tiny_model, tiny_config):
    first = _optimiser(tiny_model)
    for seed in range(2):
        _with_gradients(tiny_model, seed)
        first.step()
    twin = Llama(tiny_config)
    twin.load_state_dict(tiny_model.state_dict())
    second = _optimiser(twin)
    for name, tensor in second.state().items():
        tensor.copy_(first.state()[name])
    second.set_steps(first.steps)
    for model, optimiser in ((tiny_model, first), (twin, second)):
        _with_gradients(model, 7)
        optimiser.step()
    for mine, theirs in zip(tiny_model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(mine, theirs)
