"""Memory: refuse what cannot fit before it is allocated, and keep what one step frees for the next.

A run that asks for more than the machine has would be ended by the system without a word, perhaps together
with other programs. `training_bytes` counts only what no way of computing the step can do without, so what it
refuses could never have run; what it lets pass may still be too much.

glibc's malloc gives large blocks back to the system as soon as they are free and asks for them again a moment
later; each time the kernel must find and clear every page anew. A training step frees and takes the same
hundred megabytes again and again: 34,000 page faults, a twelfth of the step, in the benchmark's model. Two
thresholds of malloc end that. The process then holds the most it ever needed until it ends, which for
training it would soon need again anyway.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from nextword.common.errors import BadInput
from nextword.model.config import ModelConfig

if TYPE_CHECKING:
    from nextword.train.distributed import Processes
    from nextword.train.pretrain import PretrainSettings

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where a container's own limit stands (cgroup 2 and 1)."""

MODEL_BYTES = 12
"""A parameter's weight, gradient and momentum, each in fp32. (AdamW remembers one more; embeddings only.)"""
LOADER_BYTES = 40
"""A token of the batch: its id, target, document and positions, each in int64."""

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of the two settings in glibc's <malloc.h>."""


@dataclass(frozen=True)
class Need:
    """The least bytes that a process needs: for the model and its optimiser, and for one step."""

    model: int
    step: int


def training_bytes(config: ModelConfig, batch: int, rows: int, context: int, itemsize: int) -> Need:
    """What training needs at the least, with `rows` of a batch computed at once.

    Of each layer the backward pass must find again 6 C + 3 W numbers a token: what both norms are given and
    give, query, key, value and their mix (a head's share may be less), gate, up and their product.
    """
    C, W = config.hidden_size, config.intermediate_size
    kept = config.num_hidden_layers * (6 * C + 3 * W) * itemsize
    step = rows * context * kept + batch * context * LOADER_BYTES
    return Need(MODEL_BYTES * config.num_parameters, step)


def refuse_beyond_memory(settings: PretrainSettings, config: ModelConfig, processes: Processes) -> None:
    """BadInput, with the numbers, when this process's device has less memory than the run must have."""
    rows = processes.share_of(settings.batch)
    need = training_bytes(
        config,
        rows,
        min(settings.rows_at_once or rows, rows),
        settings.context,
        itemsize=2 if settings.precision == "bf16" else 4,
    )
    model = need.model // (processes.world if processes.parallel == "fsdp" else 1)
    here = memory_of(processes.device)
    if here is not None and model + need.step > here:
        raise BadInput(
            f"{config.num_hidden_layers} layers and {rows:,} rows of {settings.context:,} tokens need "
            f"at least {_gb(model)} for the model and {_gb(need.step)} for a step, "
            f"the memory here is {_gb(here)}",
            do="give less depth, batch or context, or fewer rows_at_once",
        )


def memory_of(device: torch.device) -> int | None:
    """Bytes of memory that a device has in all, a container's limit included; None where nobody says."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    found = []
    with contextlib.suppress(ValueError, OSError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in map(Path, CGROUP_LIMITS):
        with contextlib.suppress(ValueError, OSError):  # "max" is no number
            found.append(int(path.read_text()))
    return min(found, default=None)


def _gb(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count < 1e11 else f"{count // 10**9:,} GB"


def keep_freed_memory() -> bool:
    """Tell malloc, for this process, to keep up to 1 GiB blocks; False where malloc is not glibc's."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(setting, 1 << 30) == 1 for setting in (TRIM_THRESHOLD, MMAP_THRESHOLD))
