"""A run with an assistant to go on from, and people's comparisons."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nextword.common.dialogue import Comparison, write_comparisons
from nextword.common.records import Message
from tests.train.conftest import assistant, reward_model

__all__ = ["assistant", "reward_model"]


@pytest.fixture
def finetuned_run(assistant, tmp_path):
    """A run folder whose finetuned/ is a tiny model that can converse."""
    shutil.copytree(assistant, tmp_path / "run" / "finetuned" / "model")
    return tmp_path / "run"


@pytest.fixture
def comparisons(tmp_path) -> Path:
    """48 comparisons, and one with equal sides."""
    path = tmp_path / "comparisons.jsonl"
    pairs = [(f"{n}?", f"yes {n}", "no, never") for n in range(48)] + [("x", "same", "same")]
    write_comparisons(path, [_comparison(*pair) for pair in pairs])
    return path


def _comparison(prompt: str, *sides: str) -> Comparison:
    chosen, rejected = ([Message("assistant", side)] for side in sides)
    return Comparison([Message("user", prompt)], chosen, rejected)
