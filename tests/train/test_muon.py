from __future__ import annotations

import pytest
import torch

from nextword.train.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 24, 8), (2, 8, 24)])
def test_newton_schulz_brings_every_singular_value_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(matrices))
    assert values.min() > 0.5 and values.max() < 1.3


def test_newton_schulz_keeps_the_singular_vectors():
    matrix = torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(1))
    u, _, vh = torch.linalg.svd(matrix[0], full_matrices=False)
    rotated = u.T @ orthogonalised(matrix)[0] @ vh.T  # diagonal, if the vectors are the same
    assert torch.allclose(rotated, torch.diag(rotated.diag()), atol=1e-5)


def test_a_matrix_of_zeros_stays_zero():
    assert torch.equal(orthogonalised(torch.zeros(1, 4, 4)), torch.zeros(1, 4, 4))


def test_matrices_in_a_batch_do_not_touch_one_another():
    matrices = torch.randn(3, 8, 16, generator=torch.Generator().manual_seed(2))
    together = orthogonalised(matrices)
    for index in range(3):
        assert torch.allclose(together[index], orthogonalised(matrices[index : index + 1])[0], atol=1e-5)


def _parameter(rows: int, columns: int, seed: int = 0) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(torch.zeros(rows, columns))
    parameter.grad = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    return parameter


def test_the_step_does_not_depend_on_the_size_of_the_gradient():
    small, large = _parameter(8, 8), _parameter(8, 8)
    large.grad *= 1000
    for parameter in (small, large):
        Muon([parameter], dtype=torch.float32).step(0.1)
    assert torch.allclose(small, large, atol=1e-4)


def test_a_tall_matrix_moves_by_the_square_root_of_its_aspect_more():
    wide, tall = _parameter(8, 32), _parameter(32, 8)
    tall.grad = wide.grad.T.clone()
    for parameter in (wide, tall):
        Muon([parameter], dtype=torch.float32).step(0.1)
    assert torch.allclose(tall, 2 * wide.T, atol=1e-5)


def test_weight_decay_shrinks_by_rate_times_decay_before_the_step():
    parameter, free = _parameter(8, 8), _parameter(8, 8)
    with torch.no_grad():
        parameter.fill_(1.0)
    Muon([parameter], weight_decay=0.5, dtype=torch.float32).step(0.1)
    Muon([free], dtype=torch.float32).step(0.1)
    assert torch.allclose(parameter, 0.95 + free, atol=1e-6)


def test_it_agrees_with_torchs_own_muon():
    ours, theirs = _parameter(16, 16), _parameter(16, 16)
    mine = Muon([ours], momentum=0.95)
    peer = torch.optim.Muon([theirs], lr=0.1, momentum=0.95, weight_decay=0.0)
    for seed in range(3):
        for parameter in (ours, theirs):
            parameter.grad = torch.randn(16, 16, generator=torch.Generator().manual_seed(seed))
        mine.step(0.1)
        peer.step()
    assert torch.allclose(ours, theirs, atol=5e-3)  # both round in bf16, in another order
