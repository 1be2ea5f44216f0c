"""The benchmark that needs a GPU runs here as far as a CPU can take it."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_gpu_benchmark_runs_small_on_what_is_here(monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(sys, "argv", ["pretrain_gpu.py", "--smoke"])
    runpy.run_path(str(BENCHMARKS / "pretrain_gpu.py"), run_name="__main__")
    names = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert names[0] == "device" and "tokens a second" in names and names[-1] == "MFU"
