"""Keep the memory that one step frees for the next.

glibc's malloc gives large blocks back to the system as soon as they are free and asks for them again a moment
later; each time the kernel must find and clear every page anew. A training step frees and takes the same
hundred megabytes again and again: 34,000 page faults, a twelfth of the step, in the benchmark's model. Two
thresholds of malloc end that. The process then holds the most it ever needed until it ends, which for
training it would soon need again anyway.
"""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of the two settings in glibc's <malloc.h>."""


def keep_freed_memory() -> bool:
    """Tell malloc, for this process, to keep up to 1 GiB blocks; False where malloc is not glibc's."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(setting, 1 << 30) == 1 for setting in (TRIM_THRESHOLD, MMAP_THRESHOLD))
