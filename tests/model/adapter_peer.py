"""Opens our adapter folders with the real peft and compares logits, before and after its own merge.

.peers/peft/bin/python tests/model/adapter_peer.py FOLDER BASES_JSON
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import peft
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def main(folder, bases):
    ids = torch.arange(10)[None]
    for case, base in bases.items():
        plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        with torch.no_grad(), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            before = plain(ids).logits
            model = peft.PeftModel.from_pretrained(plain, folder / case).eval()
            expected = load_file(folder / f"{case}.safetensors")["logits"]
            found = model(ids).logits
            merged = model.merge_and_unload()(ids).logits
        facts = {
            "case": case,
            "unmerged": (found - expected).abs().max().item(),
            "merged": (merged - expected).abs().max().item(),
            "adapted": (before - expected).abs().max().item(),
            "missing": [str(one.message) for one in said if "missing" in str(one.message).lower()],
        }
        print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
