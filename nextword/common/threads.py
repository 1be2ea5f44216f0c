"""How threads wait for one another. To be said before torch is loaded, which reads it once."""

from __future__ import annotations

import os

SPINS = "1000"
"""Looks at the barrier, some microseconds, before a thread of GNU's OpenMP sleeps (torch has it on Linux)."""


def spin_briefly() -> None:
    """Let OpenMP's threads wait a moment at their barriers, and then sleep; what the user has set stands.

    By default they spin for a millisecond and more: beside two busy programs on two cores training then loses
    four fifths of its speed or more, since a thread that has no core cannot arrive. Where they sleep at once,
    each barrier costs a waking: a model of 1.2 million parameters learns 21,000 tokens a second on a quiet
    machine, and 14,700 beside busy programs. With a thousand spins it is 27,000 and 10,000.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "passive"  # other OpenMPs know no number
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
