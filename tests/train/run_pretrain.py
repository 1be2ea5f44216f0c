"""`pretrain` as a process of its own, for tests that kill it or start several: settings as JSON, folders.

Several settings are trained one after another, into out/0, out/1 ...: torchrun takes longer than a run.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("error")

from nextword.train.distributed import joined  # noqa: E402 (its imports must not warn)
from nextword.train.pretrain import PretrainSettings, pretrain  # noqa: E402

if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    tokens, tokenizer, out = map(Path, sys.argv[2:5])
    if isinstance(settings, dict):
        pretrain(PretrainSettings(**settings), tokens, tokenizer, out)
    else:
        with joined("cpu"):
            for number, each in enumerate(settings):
                pretrain(PretrainSettings(**each), tokens, tokenizer, out / str(number))
