"""Small GGUF files with random weights, written by the `gguf` package, and run.c built once for all tests."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import pytest

from nextword.runner import build as building

os.environ.setdefault("OMP_NUM_THREADS", "1")

Type = gguf.GGMLQuantizationType
VISIBLE = {}  # GPT-2's alphabet: byte -> visible character
_hidden = 0
for _byte in range(256):
    if 33 <= _byte <= 126 or 161 <= _byte <= 172 or _byte >= 174:
        VISIBLE[_byte] = chr(_byte)
    else:
        VISIBLE[_byte] = chr(256 + _hidden)
        _hidden += 1

SPECIALS = ["<|bos|>", "<|eos|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
OUR_TEMPLATE = (
    "{% for m in messages %}{{ '<|' ~ m.role ~ '|>' ~ m.content ~ '<|end|>' }}{% endfor %}<|assistant|>"
)


@dataclass(frozen=True)
class Shape:
    vocab: int = 256 + 3 + len(SPECIALS)
    hidden: int = 256
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    ffn: int = 512
    context: int = 256
    tied: bool = False
    theta: float = 10000.0
    factors: tuple[float, ...] | None = None
    scale: float = 0.08


def random_blocks(rows, cols, kind, rng, scale):
    """Random valid rows of a quantised type: raw bytes (rows, bytes) whose numbers are of this scale."""
    if kind in (Type.Q4_K, Type.Q6_K):
        block, size = gguf.GGML_QUANT_SIZES[kind]
        raw = rng.integers(0, 256, (rows, cols // block, size), dtype=np.uint8)
        step = np.full((rows, cols // block, 1), scale / (15 * 32), np.float16)
        if kind == Type.Q4_K:
            raw[..., 0:2] = step.view(np.uint8)
            raw[..., 2:4] = (step * np.float16(7)).view(np.uint8)
        else:
            raw[..., 208:210] = (step / np.float16(10)).view(np.uint8)
        return raw.reshape(rows, -1)
    return gguf.quantize(rng.standard_normal((rows, cols)).astype(np.float32) * np.float32(scale), kind)


def tensor_shapes(shape):
    """Name -> (rows, cols), or (size,) for norms."""
    names = {"token_embd": (shape.vocab, shape.hidden), "output_norm": (shape.hidden,)}
    if not shape.tied:
        names["output"] = (shape.vocab, shape.hidden)
    wide, narrow = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    for layer in range(shape.layers):
        parts = {
            "attn_norm": (shape.hidden,),
            "attn_q": (wide, shape.hidden),
            "attn_k": (narrow, shape.hidden),
            "attn_v": (narrow, shape.hidden),
            "attn_output": (shape.hidden, wide),
            "ffn_norm": (shape.hidden,),
            "ffn_gate": (shape.ffn, shape.hidden),
            "ffn_up": (shape.ffn, shape.hidden),
            "ffn_down": (shape.hidden, shape.ffn),
        }
        names |= {f"blk.{layer}.{name}": dims for name, dims in parts.items()}
    return names


def byte_tokenizer(writer, template=OUR_TEMPLATE):
    """256 bytes, three merges (h e, he l, space w) and our control tokens at the end."""
    tokens = [VISIBLE[byte] for byte in range(256)] + ["he", "hel", "Ġw", *SPECIALS]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 259 + [3] * len(SPECIALS))
    writer.add_token_merges(["h e", "he l", "Ġ w"])
    writer.add_bos_token_id(259)
    writer.add_eos_token_id(260)
    writer.add_add_bos_token(True)
    if template:
        writer.add_chat_template(template)


def sentencepiece_tokenizer(writer, words=(), template="{{ '[INST] <<SYS>>' }}"):
    """<unk> <s> </s>, 256 bytes, then words with scores that fall in their order."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 259 + [-float(n) for n in range(len(words))])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * len(words))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    if template:
        writer.add_chat_template(template)


def write_gguf(path, shape=None, kind=Type.F32, seed=0, tokenizer=byte_tokenizer, change=None):
    """A random model; returns its weights as floats by name. `change(writer)` may add or spoil keys."""
    shape = shape or Shape()
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.theta)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape.vocab)
    tokenizer(writer)
    if change:
        change(writer)
    weights = {}
    for name, dims in tensor_shapes(shape).items():
        if len(dims) == 1:
            weights[name] = rng.uniform(0.5, 1.5, dims).astype(np.float32)
            writer.add_tensor(f"{name}.weight", weights[name])
            continue
        raw = random_blocks(*dims, kind, rng, shape.scale)
        weights[name] = gguf.dequantize(raw, kind).reshape(dims).astype(np.float32)
        writer.add_tensor(f"{name}.weight", raw, raw_dtype=None if kind in (Type.F32, Type.F16) else kind)
    if shape.factors:
        weights["rope_freqs"] = np.array(shape.factors, np.float32)
        writer.add_tensor("rope_freqs.weight", weights["rope_freqs"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def reference_logits(weights, shape, ids):
    """The transformer in float64 numpy, straight from its definition, with GGUF's pairwise RoPE: (T, V)."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    T, D, group = len(ids), shape.head_dim, shape.heads // shape.kv_heads
    frequencies = shape.theta ** (-np.arange(0, D, 2) / D)
    if shape.factors:
        frequencies = frequencies / np.array(shape.factors)
    angles = np.arange(T)[:, None] * frequencies
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]

    def norm(x, weight):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * weight

    def turn(x):
        a, b = x[..., 0::2], x[..., 1::2]
        return np.stack((a * cos - b * sin, a * sin + b * cos), -1).reshape(x.shape)

    x = w["token_embd"][ids]
    for layer in range(shape.layers):
        part = {name.split(".")[-1]: value for name, value in w.items() if name.startswith(f"blk.{layer}.")}
        h = norm(x, part["attn_norm"])
        q = turn((h @ part["attn_q"].T).reshape(T, shape.heads, D))
        k = turn((h @ part["attn_k"].T).reshape(T, shape.kv_heads, D)).repeat(group, axis=1)
        v = (h @ part["attn_v"].T).reshape(T, shape.kv_heads, D).repeat(group, axis=1)
        scores = np.einsum("thd,shd->hts", q, k) / np.sqrt(D)
        scores = np.where(np.tril(np.ones((T, T), bool)), scores, -np.inf)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = np.einsum("hts,shd->thd", p / p.sum(-1, keepdims=True), v)
        x = x + mixed.reshape(T, -1) @ part["attn_output"].T
        h = norm(x, part["ffn_norm"])
        gate = h @ part["ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ part["ffn_up"].T)) @ part["ffn_down"].T
    return norm(x, w["output_norm"]) @ w.get("output", w["token_embd"]).T


@dataclass(frozen=True)
class Tools:
    """What the tests of this room share."""

    Shape = Shape
    Type = Type
    VISIBLE = VISIBLE
    SPECIALS = SPECIALS
    write_gguf = staticmethod(write_gguf)
    byte_tokenizer = staticmethod(byte_tokenizer)
    sentencepiece_tokenizer = staticmethod(sentencepiece_tokenizer)
    random_blocks = staticmethod(random_blocks)
    reference_logits = staticmethod(reference_logits)
    replace = staticmethod(dataclasses.replace)


@pytest.fixture(scope="session")
def tools():
    return Tools()


@pytest.fixture(scope="session")
def compiler(need):
    return need("cc")


@pytest.fixture(scope="session")
def library(compiler):
    """The shared library, from the cache if it is there already."""
    from nextword.runner.library import load_library

    return load_library()


@pytest.fixture(scope="session")
def program(compiler, tmp_path_factory) -> Path:
    """The command-line program."""
    return building.build(building.SOURCE, tmp_path_factory.mktemp("runner") / "run")


@pytest.fixture(scope="session")
def model_file(tmp_path_factory, tools) -> Path:
    """The default tiny model in F32."""
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    tools.write_gguf(path)
    return path
