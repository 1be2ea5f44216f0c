"""Small checkpoint folders whose every number is exact: the same on every machine and with every library.

Weights are whole numbers times a power of two from numpy's frozen generator, so bf16 holds them, no libm
takes part, and a hash of the released file means something.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from nextword.model.checkpoint import save_checkpoint
from nextword.model.config import ModelConfig, RopeScaling
from nextword.model.llama import Llama
from nextword.tokenizer import bytelevel
from nextword.tokenizer.engines import PATTERN
from nextword.tokenizer.special import CHAT_TEMPLATE, SPECIALS

MERGES = [
    *[("t", "h"), ("th", "e"), ("i", "n"), ("Ġ", "the"), ("e", "r"), ("o", "n"), ("Ġ", "a"), ("in", "g")],
    *[("r", "e"), ("Ġ", "w"), ("o", "r"), ("or", "d"), ("Ġw", "ord"), ("n", "e"), ("ne", "x"), ("nex", "t")],
    *[("ë", "ĭ"), ("Ġ", "Ġ"), ("1", "2"), ("12", "3"), (":", "Ċ"), ("í", "ķ"), ("íķ", "ĺ"), ("Ċ", "Ċ")],
]
VOCAB = 256 + len(MERGES) + len(SPECIALS)
BOS = 256 + len(MERGES)
PROMPT = [BOS, 85, 66, 258, 99, 17]

SMALL = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "bos_token_id": BOS,
    "eos_token_id": BOS + 1,
}
LLAMA3 = RopeScaling(
    factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32
)
CASES = {
    "llama-tied": ModelConfig(**SMALL | {"tie_word_embeddings": True}),
    "llama3": ModelConfig(
        **SMALL | {"num_key_value_heads": 2, "head_dim": 32, "rope_theta": 500_000.0, "rope_scaling": LLAMA3}
    ),
    "qwen2": ModelConfig(**SMALL | {"attention_bias": True, "num_key_value_heads": 1}),
    "qwen3": ModelConfig(**SMALL | {"qk_norm": True, "head_dim": 32}),
}


def seeded_model(config: ModelConfig, seed: int = 1) -> Llama:
    """A model whose every parameter matters and whose choices lie far apart."""
    random = np.random.RandomState(seed)
    model = Llama(config)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            whole = torch.from_numpy(random.randint(-127, 128, tuple(parameter.shape)).astype(np.float32))
            is_norm = name.endswith("norm.weight")
            parameter.copy_(1 + whole / 512 if is_norm else whole / 512)
    return model.eval()


def write_tokenizer(folder: Path) -> Path:
    """A folder with a tokenizer of ours: 256 bytes, a few merges, the special tokens."""
    alphabet = [bytelevel.from_bytes(bytes([byte])) for byte in range(256)]
    tokens = alphabet + [left + right for left, right in MERGES]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    description = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": id, "content": token, **flags} for id, token in enumerate(SPECIALS, len(tokens))
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level | {"add_prefix_space": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: id for id, token in enumerate(tokens)},
            "merges": [list(merge) for merge in MERGES],
        },
    }
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|bos|>",
        "eos_token": "<|eos|>",
        "pad_token": "<|pad|>",
        "chat_template": CHAT_TEMPLATE,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(description, ensure_ascii=False), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def write_folder(folder: Path, config: ModelConfig, seed: int = 1) -> Path:
    """A whole checkpoint folder."""
    tokenizer = write_tokenizer(folder.with_name(folder.name + "-tokenizer"))
    save_checkpoint(seeded_model(config, seed), folder, tokenizer)
    return folder
