"""Runs in the peers environment: our model and transformers' on the same folders, both directions.

Prints one JSON line a case: the largest difference of logits when transformers opens what we wrote, and when
we open what transformers wrote. `test_peers.py` runs it with PYTHONPATH at the checkout.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from make_golden import LLAMA3
from transformers import AutoConfig, AutoModelForCausalLM

from nextword.model.checkpoint import load_checkpoint, save_checkpoint
from nextword.model.config import ModelConfig, RopeScaling
from nextword.model.llama import Llama

BASE = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SCALING = RopeScaling(**{key: LLAMA3[key] for key in LLAMA3 if key not in ("rope_type", "rope_theta")})
CASES = {
    "plain": {},
    "grouped": {"num_key_value_heads": 2},
    "one key-value head": {"num_key_value_heads": 1},
    "tied": {"tie_word_embeddings": True},
    "wide heads": {"head_dim": 32, "num_key_value_heads": 2},
    "llama3 scaling": {"rope_theta": 500000.0, "rope_scaling": SCALING, "num_key_value_heads": 2},
    "llama3 scaling, tied": {"rope_theta": 5e5, "rope_scaling": SCALING, "tie_word_embeddings": True},
    "sharded": {"num_key_value_heads": 2},
    "mistral": {"sliding_window": 128, "num_key_value_heads": 2},
    "qwen2": {"attention_bias": True, "num_key_value_heads": 2},
    "qwen2 tied": {"attention_bias": True, "tie_word_embeddings": True, "rope_theta": 1e6},
    "qwen3": {"qk_norm": True, "head_dim": 32, "num_key_value_heads": 2},
    "qwen3 tied": {"qk_norm": True, "tie_word_embeddings": True, "num_key_value_heads": 2},
}


def ours(options):
    """Our model with weights that make every parameter matter."""
    model = Llama(ModelConfig(**BASE | options))
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            centre = 1.0 if parameter.dim() == 1 and not name.endswith("bias") else 0.0
            parameter.copy_(centre + noise * (0.15 if parameter.dim() == 2 else 0.3))
    return model.eval()


def compare(name, options, ids):
    model, limit = ours(options), 100_000 if name == "sharded" else 5 << 30
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        written, back = Path(folder, "ours"), Path(folder, "theirs")
        save_checkpoint(model, written, max_shard_bytes=limit)
        theirs = AutoModelForCausalLM.from_pretrained(written, attn_implementation="eager").eval()
        expected = theirs(ids).logits
        theirs.save_pretrained(back, max_shard_size="100KB" if name == "sharded" else "5GB")
        again = load_checkpoint(back)
        config = AutoConfig.from_pretrained(written)
        return {
            "case": name,
            "class": type(theirs).__name__,
            "files": len(list(written.glob("*.safetensors"))),
            "spread": expected.std().item(),
            "they_open_ours": (model(ids) - expected).abs().max().item(),
            "we_open_theirs": (again(ids) - expected).abs().max().item(),
            "same_config": again.config == model.config,
            "dtype": str(config.dtype),
            "transformers": transformers.__version__,
        }


if __name__ == "__main__":
    torch.set_num_threads(1)
    batch = torch.randint(0, BASE["vocab_size"], (2, 100), generator=torch.Generator().manual_seed(3))
    for case, switches in CASES.items():
        if not sys.argv[1:] or case in sys.argv[1:]:
            print(json.dumps(compare(case, switches, batch)), flush=True)
