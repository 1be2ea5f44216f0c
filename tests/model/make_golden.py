"""Writes golden/NAME: tiny random folders saved by transformers, with the logits that transformers computes.

The weights are stored in bf16 (small files) and computed in fp32, which holds them exactly.

Run in the peers environment (`make peers`); `test_golden.py` then checks us without transformers installed.

    .peers/transformers/bin/python tests/model/make_golden.py [FOLDER]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

SHAPE = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
CASES = {
    "llama": ("Llama", {"num_key_value_heads": 4, "head_dim": 8}),
    "llama-grouped-tied": ("Llama", {"tie_word_embeddings": True}),
    "llama3-scaled": ("Llama", {"rope_parameters": LLAMA3, "head_dim": 16}),
    "llama-sharded": ("Llama", {}),
    "mistral": ("Mistral", {"sliding_window": 64}),
    "qwen2": ("Qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {"head_dim": 16}),
}


def build(name):
    """A seeded random model whose every parameter matters: norms off 1, biases off 0, choices far apart."""
    family, options = CASES[name]
    config = getattr(transformers, f"{family}Config")(**SHAPE | options)
    torch.manual_seed(sum(map(ord, name)))
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape)
            if parameter.dim() == 2:
                parameter.copy_(noise * 0.25)
            else:
                parameter.copy_(noise * 0.3 + (0.0 if key.endswith("bias") else 1.0))
            parameter.copy_(parameter.bfloat16())
    return model


def ids_for(name, length=32):
    generator = torch.Generator().manual_seed(len(name))
    return torch.randint(0, SHAPE["vocab_size"], (1, length), generator=generator)


def main(folder):
    for name in CASES:
        model = build(name)
        ids = ids_for(name)
        with torch.no_grad():
            logits = model(ids).logits
        limit = "12KB" if name == "llama-sharded" else "5GB"
        model.bfloat16().save_pretrained(folder / name, max_shard_size=limit)
        save_file({"ids": ids.int(), "logits": logits}, folder / name / "expected.safetensors")
        print(f"{name}: logits {logits.std():.2f} +- around {logits.mean():.2f}")
    versions = {"transformers": transformers.__version__, "torch": torch.__version__}
    (folder / "versions.json").write_text(json.dumps(versions) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("golden"))
