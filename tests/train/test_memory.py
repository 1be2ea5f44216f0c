"""Memory freed by one step is there for the next."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource
import torch
from nextword.train.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(9 << 20)  # 36 MiB, taken and freed; malloc asks the system for what is larger than 32
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(), keep_freed_memory(), faults(), faults())
"""


def test_large_blocks_are_reused_without_new_pages():
    run = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    before, is_kept, _, after = run.stdout.split()
    if is_kept == "False":
        pytest.skip("malloc here is not glibc's")
    assert int(after) < int(before) / 100
