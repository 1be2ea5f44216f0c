"""The fused head and loss must be the head and the loss."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nextword.model import fused_loss
from nextword.model.fused_loss import IGNORED, next_token_loss


def case(N=50, C=16, V=40, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(N, C, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(V, C, generator=generator).requires_grad_()
    targets = torch.randint(0, V, (N,), generator=generator)
    targets[3:6] = IGNORED
    return hidden, weight, targets


def textbook(hidden, weight, targets):
    return F.cross_entropy(hidden.double() @ weight.double().t(), targets, reduction="sum")


@pytest.mark.parametrize("rows", [1, 16, 17, 50, 1000])
def test_loss_and_gradients_are_the_textbooks_however_it_is_cut(rows, monkeypatch):
    hidden, weight, targets = case()
    monkeypatch.setattr(fused_loss, "CHUNK", {"cpu": rows * len(weight)})
    monkeypatch.setattr(fused_loss, "FEWEST_ROWS", 1)
    ours, plain = (f(hidden, weight, targets) for f in (next_token_loss, textbook))
    torch.testing.assert_close(ours.double(), plain)
    for mine, true in zip(
        torch.autograd.grad(ours / 7, (hidden, weight)),
        torch.autograd.grad(plain / 7, (hidden, weight)),
        strict=True,
    ):
        torch.testing.assert_close(mine, true, rtol=1e-4, atol=1e-5)


def test_in_bf16_the_mean_loss_is_within_a_thousandth_and_gradients_within_a_percent():
    hidden, weight, targets = case(N=400, dtype=torch.bfloat16)
    with torch.no_grad():
        weight.copy_(weight.bfloat16())
    ours, plain = (f(hidden, weight, targets) for f in (next_token_loss, textbook))
    assert abs(ours.item() - plain.item()) / 400 < 1e-3
    mine, true = (torch.autograd.grad(loss, (hidden, weight)) for loss in (ours, plain))
    for one, other in zip(mine, true, strict=True):
        assert (one - other).norm() < 0.01 * other.norm()


def test_a_row_that_is_not_scored_has_no_gradient():
    hidden, weight, targets = case()
    (gradient,) = torch.autograd.grad(next_token_loss(hidden, weight, targets), hidden)
    assert gradient[3:6].eq(0).all() and gradient[6].ne(0).any()


def test_nothing_scored_is_a_loss_of_zero_with_gradients_of_zero():
    hidden, weight, targets = case()
    loss = next_token_loss(hidden, weight, torch.full_like(targets, IGNORED))
    assert loss.item() == 0
    assert all(one.eq(0).all() for one in torch.autograd.grad(loss, (hidden, weight)))


def test_a_hopeless_target_costs_much_but_not_infinity():
    weight = torch.tensor([[1.0], [-1.0]])
    assert 80 < next_token_loss(torch.tensor([[300.0]]), weight, torch.tensor([1])).item() < 100


def test_not_a_number_comes_through():
    hidden, weight, targets = case()
    with torch.no_grad():
        hidden[0, 0] = float("nan")
    assert next_token_loss(hidden, weight, targets).isnan()


def test_without_gradients_the_loss_is_the_same():
    hidden, weight, targets = case()
    with torch.no_grad():
        alone = next_token_loss(hidden, weight, targets)
    assert torch.equal(alone, next_token_loss(hidden, weight, targets).detach())
