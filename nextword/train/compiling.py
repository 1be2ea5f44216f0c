"""When torch.compile repays its time.

Compiling fuses element-wise work; it does not touch the matrix products. On a CPU our step is four fifths
products already (benchmarks/records, pretrain-step), so compiling gains a twentieth and takes a minute or two
of both cores: hours of training repay it, minutes do not. On a CUDA device element-wise work waits for
memory and launches, so there it gains much and nearly always pays.

`auto` compiles when what it is expected to save is more than what it costs. The two numbers for each kind of
device are rough on purpose: only their order of magnitude decides.
"""

from __future__ import annotations

import os
import shutil
from typing import Literal

import torch

from nextword.common.errors import Missing

Choice = Literal["auto", "on", "off"]

COST_SECONDS = {"cpu": 100.0, "cuda": 60.0}
"""What compiling a step takes, about."""

SAVED_SHARE = {"cpu": 0.05, "cuda": 0.4}
"""What share of a plain step's time the compiled one saves, about."""


def is_compiled(choice: Choice, device: torch.device, plain_seconds: float) -> bool:
    """Whether to compile for work of `plain_seconds` without it; Missing when asked for and impossible."""
    if choice == "off" or (choice == "auto" and device.type not in COST_SECONDS):
        return False
    if not has_compiler():
        if choice == "on":
            raise Missing(
                "torch.compile needs a C++ compiler and finds none",
                do="install g++ or clang++ (or name one in CXX), or use --compile off",
            )
        return False
    return choice == "on" or plain_seconds * SAVED_SHARE[device.type] > COST_SECONDS[device.type]


def has_compiler() -> bool:
    """Whether Inductor would find a C++ compiler: the one CXX names, g++ or clang++."""
    named = os.environ.get("CXX")
    return any(shutil.which(name) for name in ([named] if named else ["g++", "clang++"]))
