"""The benchmarks that need a GPU run here as far as a CPU can take them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_gpu_benchmark_runs_small_on_what_is_here():
    command = [sys.executable, "-W", "error", "benchmarks/pretrain_gpu.py", "--smoke"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    names = [line.partition(":")[0] for line in run.stdout.splitlines()]
    assert names[0] == "device" and "tokens a second" in names and names[-1] == "MFU"
