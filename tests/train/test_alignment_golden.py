"""Losses and gradients of our steps against what TRL's trainers gave (benchmarks/alignment_losses.py)."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
DTYPES = {"fp32": torch.float32, "fp64": torch.float64}
CLOSE = 1e-5


@pytest.fixture(scope="module")
def side():
    """The benchmark whose own side is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return importlib.import_module("alignment_losses")


@pytest.fixture(scope="module")
def golden(side):
    return json.loads(side.GOLDEN.read_text())


@pytest.fixture(scope="module", params=DTYPES)
def found(side, golden, request):
    policy, reference = (side.tiny_model(seed).to(DTYPES[request.param]) for seed in (1, 0))
    return side.ours(policy, reference, side.Texts.of_json(golden["texts"]))


METHODS = ["sft", "dpo", "ipo", "kto", "orpo", "simpo"]


def test_every_method_is_stored(golden):
    assert list(golden["methods"]) == METHODS and "trl 1.16.0" in golden["made_by"]


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_is_trls(method, found, golden):
    assert found[method][0] == pytest.approx(golden["methods"][method]["loss"], rel=CLOSE)


@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_is_trls(method, found, golden, side):
    assert side.sketch_difference(found[method][1], golden["methods"][method]["gradients"]) <= CLOSE


def test_a_gradient_that_is_off_by_little_anywhere_is_seen(side):
    gradient = torch.linspace(-1, 1, 999)
    other = gradient.clone()
    other[500] += 1e-3
    assert side.sketch_difference({"w": other}, {"w": side.sketch(gradient)}) > CLOSE
