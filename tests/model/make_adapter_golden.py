"""Writes golden/adapter and golden/four_bit.safetensors: what peft and bitsandbytes make, stored.

.peers/peft/bin/python tests/model/make_adapter_golden.py [FOLDER]
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import bitsandbytes.functional as bnb
import peft
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CASES = {
    "every layer": ("llama", {"target_modules": ALL}),
    "with the head": ("llama", {"target_modules": [*ALL, "lm_head"]}),
    "by root": ("qwen2", {"target_modules": ["q_proj", "v_proj"], "use_rslora": True}),
    "one layer": ("qwen3", {"target_modules": ["down_proj"], "layers_to_transform": [1]}),
}


def adapted(base, options):
    """A base with an adapter of theirs whose every number matters."""
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_pretrained(HERE / "golden" / base, dtype=torch.float32)
    config = peft.LoraConfig(r=2, lora_alpha=4, task_type="CAUSAL_LM", **options)
    model = peft.get_peft_model(model, config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_((torch.randn(parameter.shape) * 0.3).bfloat16())
    return model


def main(folder):
    for name, (base, options) in CASES.items():
        model, place = adapted(base, options), folder / "adapter" / name.replace(" ", "-")
        ids = load_file(HERE / "golden" / base / "expected.safetensors")["ids"].long()
        with torch.no_grad():
            logits = model(ids).logits
        model.save_pretrained(place)
        (place / "README.md").unlink()
        config = json.loads((place / "adapter_config.json").read_text())
        config |= {"base_model_name_or_path": base, "target_modules": sorted(config["target_modules"])}
        (place / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
        save_file({"logits": logits}, place / "expected.safetensors")
    weights = torch.randn(16, 128, generator=torch.Generator().manual_seed(3)) * 0.02
    weights[3] = 0
    codes, state = bnb.quantize_4bit(weights, blocksize=64, quant_type="nf4", compress_statistics=False)
    found = {"weights": weights, "codes": codes.flatten(), "scales": state.absmax, "levels": state.code}
    save_file(found, folder / "four_bit.safetensors")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if sys.argv[1:] else HERE / "golden"
    shutil.rmtree(target / "adapter", ignore_errors=True)
    main(target)
