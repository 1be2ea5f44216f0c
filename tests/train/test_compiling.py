"""Compiling is chosen when it repays its time, and possible."""

from __future__ import annotations

import pytest
import torch

from nextword.common.errors import Missing
from nextword.train.compiling import has_compiler, is_compiled

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")
MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture
def compiler(monkeypatch, tmp_path):
    program = tmp_path / "g++"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)


def test_minutes_on_a_cpu_are_not_worth_compiling_for_but_hours_are(compiler):
    assert not is_compiled("auto", CPU, 5 * MINUTE)
    assert is_compiled("auto", CPU, 3 * HOUR)


def test_a_gpu_compiles_for_anything_but_a_trial(compiler):
    assert not is_compiled("auto", CUDA, 10.0)
    assert is_compiled("auto", CUDA, 10 * MINUTE)


def test_a_device_that_was_never_measured_is_left_alone_unless_asked(compiler):
    assert not is_compiled("auto", MPS, 100 * HOUR)
    assert is_compiled("on", MPS, 1.0)


def test_off_is_off(compiler):
    assert not is_compiled("off", CUDA, 100 * HOUR)


def test_without_a_compiler_auto_goes_on_plainly(no_compiler):
    assert not is_compiled("auto", CUDA, 100 * HOUR)


def test_without_a_compiler_on_says_what_to_install(no_compiler):
    with pytest.raises(Missing, match=r"install g\+\+"):
        is_compiled("on", CPU, HOUR)


def test_the_compiler_that_cxx_names_is_the_one_that_counts(compiler, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert not has_compiler()
