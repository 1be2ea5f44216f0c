"""A round whose process is killed (-9) right after each of its files is written, and goes on in the next.

python run_killed_round.py RUN LABELS NAME NAME ...     prints the names after which it was killed

Children are forked from one process, so that the packages are imported once.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from nextword.recipes.round import run_round
from nextword.recipes.round_settings import RoundFiles
from tests.recipes.offices import now
from tests.recipes.round_world import ROUND

if __name__ == "__main__":
    run, labels, *names = sys.argv[1:]
    torch.set_num_threads(1)
    replace = Path.replace
    for name in [*names, ""]:
        child = os.fork()
        if not child:

            def replaced(self, target, name=name):
                """Rename, and die if that was the file."""
                done = replace(self, target)
                if Path(target).name == name:
                    os.kill(os.getpid(), signal.SIGKILL)
                return done

            Path.replace = replaced
            run_round(ROUND, Path(run), RoundFiles(labels), now)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        print(name if status == signal.SIGKILL else f"ended {status}", flush=True)
