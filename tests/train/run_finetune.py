"""`finetune` as a process of its own: a list of settings, base, data, out, when to be killed, held-out data.

Several settings are trained one after another, into out/0, out/1 ...: torchrun takes longer than a run.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from pathlib import Path

warnings.simplefilter("error")

from nextword.train import loop  # noqa: E402 (its imports must not warn)
from nextword.train.distributed import joined  # noqa: E402
from nextword.train.finetune import FinetuneData, FinetuneSettings, finetune  # noqa: E402

if __name__ == "__main__":
    every = json.loads(sys.argv[1])
    base, train, out = map(Path, sys.argv[2:5])
    at, save, heldout = int(sys.argv[5]), loop.Loop.save, tuple(map(Path, sys.argv[6:]))

    def saved(self):
        save(self)
        if at and self.step >= at:
            os.kill(os.getpid(), signal.SIGKILL)

    loop.Loop.save = saved
    with joined("cpu"):
        for number, each in enumerate(every):
            each["lora_targets"] = tuple(each["lora_targets"])
            finetune(FinetuneSettings(**each), base, FinetuneData((train,), heldout), out / str(number))
