"""What is written by hand must be the derivative of the plain formula."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck

from nextword.model.by_hand import normalise, rotate


def plain_norm(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def plain_rotation(x, cos, sin):
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)


def seeded(*shape, dtype=torch.float64):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()


def gradients(function, inputs):
    result = function(*inputs)
    upstream = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).view(result.shape)
    return [result, *torch.autograd.grad(result, inputs, upstream)]


def test_the_norm_and_its_gradients_are_those_of_the_formula():
    inputs = (seeded(2, 3, 8), seeded(8))
    ours = gradients(lambda x, w: normalise(x, w, 1e-5), inputs)
    for mine, plain in zip(ours, gradients(lambda x, w: plain_norm(x, w, 1e-5), inputs), strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-12, atol=1e-12)


def test_the_norm_passes_a_numerical_check_of_its_gradient():
    assert gradcheck(lambda x, w: normalise(x, w, 1e-5), (seeded(3, 6), seeded(6)))


def test_a_row_of_zeros_is_normalised_to_zeros_with_a_finite_gradient():
    x = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    result, gradient, _ = gradients(lambda x, w: normalise(x, w, 1e-5), (x, seeded(4)))
    assert result.eq(0).all() and gradient.isfinite().all()


def test_the_norm_in_bf16_is_close_to_fp64_and_keeps_an_fp32_weight_gradient():
    x, weight = seeded(64, 256, dtype=torch.bfloat16), seeded(256, dtype=torch.float32)
    ours = gradients(lambda x, w: normalise(x, w, 1e-5), (x, weight))
    exact = gradients(lambda x, w: plain_norm(x, w, 1e-5), (x.double(), weight.double()))
    assert [one.dtype for one in ours] == [torch.bfloat16, torch.bfloat16, torch.float32]
    for mine, true in zip(ours, exact, strict=True):
        assert (mine.double() - true).norm() <= 0.01 * true.norm()


def test_a_rotation_and_its_gradient_are_those_of_the_formula():
    angles = seeded(1, 1, 5, 4).detach()
    cos, sin = angles.cos(), angles.sin()
    ours = gradients(lambda x: rotate(x, cos, sin), (seeded(2, 3, 5, 8),))
    plain = gradients(lambda x: plain_rotation(x, cos, sin), (seeded(2, 3, 5, 8),))
    for mine, true in zip(ours, plain, strict=True):
        torch.testing.assert_close(mine, true, rtol=1e-12, atol=1e-12)


def test_a_rotation_keeps_every_length():
    angles = seeded(1, 1, 5, 4).detach()
    x = seeded(2, 3, 5, 8)
    turned = rotate(x, angles.cos(), angles.sin())
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_rotation_returns_the_dtype_it_was_given(dtype):
    angles = seeded(1, 1, 5, 4, dtype=dtype).detach()
    assert rotate(seeded(2, 3, 5, 8, dtype=dtype), angles.cos(), angles.sin()).dtype == dtype
