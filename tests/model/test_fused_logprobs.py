"""The fused log-probabilities must be the textbook's, and so must their gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nextword.model import fused_logprobs
from nextword.model.fused_logprobs import target_logprobs


def case(N=50, C=16, V=40, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(N, C, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(V, C, generator=generator).requires_grad_()
    targets = torch.randint(0, V, (N,), generator=generator)
    return hidden, weight, targets, torch.randn(N, generator=generator)


def textbook(hidden, weight, targets):
    scores = F.log_softmax(hidden.double() @ weight.double().t(), -1)
    return scores.gather(1, targets[:, None])[:, 0], -(scores.exp() * scores).sum(-1)


@pytest.mark.parametrize("rows", [1, 16, 17, 1000])
@pytest.mark.parametrize("kept", [0, 1 << 20])
def test_values_and_gradients_are_the_textbooks_however_it_is_cut_and_kept(rows, kept, monkeypatch):
    hidden, weight, targets, g = case()
    monkeypatch.setattr(fused_logprobs, "CHUNK", {"cpu": rows * len(weight)})
    monkeypatch.setattr(fused_logprobs, "FEWEST_ROWS", 1)
    monkeypatch.setattr(fused_logprobs, "KEPT_BYTES", kept)
    ours, entropies = target_logprobs(hidden, weight, targets)
    plain, plain_entropies = textbook(hidden, weight, targets)
    torch.testing.assert_close(ours.double(), plain, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(entropies.double(), plain_entropies, rtol=1e-5, atol=1e-5)
    mine = torch.autograd.grad(ours, (hidden, weight), g)
    true = torch.autograd.grad(plain, (hidden, weight), g.double())
    for one, other in zip(mine, true, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_in_bf16_log_probabilities_are_rounded_no_more_than_their_scores():
    hidden, weight, targets, g = case(N=400, dtype=torch.bfloat16)
    with torch.no_grad():
        weight.copy_(weight.bfloat16())
    ours, _ = target_logprobs(hidden, weight, targets)
    plain, _ = textbook(hidden, weight, targets)
    assert (ours - plain).abs().mean() < 0.02
    mine = torch.autograd.grad(ours, (hidden, weight), g)
    true = torch.autograd.grad(plain, (hidden, weight), g.double())
    for one, other in zip(mine, true, strict=True):
        assert (one - other).norm() < 0.02 * other.norm()


def test_a_certain_token_has_no_entropy_and_a_fair_die_has_ln_six():
    weight = torch.eye(6)
    _, entropies = target_logprobs(
        torch.stack([torch.zeros(6), 100 * weight[0]]), weight, torch.tensor([0, 0])
    )
    torch.testing.assert_close(entropies, torch.tensor([1.791759, 0.0]))


def test_nothing_to_score_gives_nothing_and_gradients_of_zero():
    hidden, weight, targets, _ = case()
    logprobs, entropies = target_logprobs(hidden[:0], weight, targets[:0])
    assert logprobs.shape == entropies.shape == (0,)
    (gradient,) = torch.autograd.grad(logprobs.sum(), weight)
    assert gradient.eq(0).all()


def test_an_impossible_target_costs_what_its_score_says():
    weight = torch.tensor([[1.0], [-1.0]])
    logprobs, _ = target_logprobs(torch.tensor([[300.0]]), weight, torch.tensor([1]))
    assert logprobs.item() == pytest.approx(-600)
