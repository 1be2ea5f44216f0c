"""Small checkpoint folders whose every number is exact: the same on every machine and with every library.

Weights are whole numbers times a power of two from numpy's frozen generator, so bf16 holds them, no libm
takes part, and a hash of the released file means something.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
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
LLAMA2_PIECES = ["▁t", "he", "▁the", "er", "in", "▁the▁", "on"]
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


def llama2_folder(folder: Path, older: bool = True) -> tuple[Path, int]:
    """Llama 2's layout, small: byte fallback, merges in the order of scores, space put first."""
    specials = ["<unk>", "<s>", "</s>"]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    characters = sorted({c for piece in LLAMA2_PIECES for c in piece})
    tokens = specials + bytes_ + LLAMA2_PIECES + characters
    vocab = {token: id for id, token in enumerate(tokens)}
    merges = [
        f"{piece[:at]} {piece[at:]}"
        for piece in LLAMA2_PIECES
        for at in range(1, len(piece))
        if piece[:at] in vocab and piece[at:] in vocab
    ]
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    normalisers = [{"type": "Prepend", "prepend": "▁"}, replace]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    description = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": id, "content": token, **flags} for id, token in enumerate(specials)],
        "normalizer": {"type": "Sequence", "normalizers": normalisers} if older else None,
        "pre_tokenizer": None
        if older
        else {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": False},
        "post_processor": None,
        "decoder": {"type": "ByteFallback"},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": vocab,
            "merges": merges,
        },
    }
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(description))
    config = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder, len(tokens)


def write_folder(folder: Path, config: ModelConfig, seed: int = 1) -> Path:
    """A whole checkpoint folder."""
    tokenizer = write_tokenizer(folder.with_name(folder.name + "-tokenizer"))
    save_checkpoint(seeded_model(config, seed), folder, tokenizer)
    return folder


SCRIPTS = [(0x20, 0x7F), (0xAC00, 0xD7A4), (0x1100, 0x1200), (0x4E00, 0x9FFF), (0x1F300, 0x1FAFF), (0, 0x20)]
SCRIPTS += [
    (0xA0, 0x250),
    (0x600, 0x6FF),
    (0x2000, 0x2070),
    (0xFF00, 0xFFEF),
    (0x10000, 0x10FFFF),
    (0xE00, 0xE7F),
]


def strings(count: int) -> Iterator[str]:
    """Texts of many scripts, of one character class and of all mixed, with what looks like control tokens."""
    chance = random.Random(4)
    for number in range(count):
        scripts = SCRIPTS if number % 3 == 0 else [chance.choice(SCRIPTS), (0x20, 0x7F)]
        characters = [chr(chance.randrange(*chance.choice(scripts))) for _ in range(chance.randrange(30))]
        text = "".join(c for c in characters if not 0xD800 <= ord(c) < 0xE000)
        yield text + chance.choice(
            ["", "", " the word", "'LL 're", "<|bos|>", "\r\n\n ", " \t  x", "12345", "한국어"]
        )
