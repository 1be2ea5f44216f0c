"""A GGUF is an untrusted file: cut, flipped or lying, it is refused in one line and never read outside."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from nextword.common.errors import BadInput
from nextword.runner.library import RunC

SANITISE = ("-O1", "-g", "-std=c11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="module")
def small(tools, tmp_path_factory):
    """Two files of a few kilobytes: byte-level and tied in Q8_0, SentencePiece with K-quants."""
    folder = tmp_path_factory.mktemp("small")
    shape = tools.Shape(hidden=32, layers=1, heads=2, kv_heads=1, head_dim=16, ffn=32, factors=(1.0,) * 8)
    tools.write_gguf(folder / "a.gguf", tools.replace(shape, tied=True), tools.Type.Q8_0)
    words = ["▁", "h", "e", "he", "▁he"]
    wide = tools.replace(
        shape, hidden=256, heads=4, kv_heads=2, head_dim=64, ffn=256, vocab=264, factors=None
    )
    tools.write_gguf(
        folder / "b.gguf",
        wide,
        tools.Type.Q4_K,
        tokenizer=lambda writer: tools.sentencepiece_tokenizer(writer, words),
    )
    tools.write_gguf(folder / "c.gguf", shape, tools.Type.F16)
    return sorted(folder.iterdir())


def refuse(path):
    with pytest.raises(BadInput) as caught:
        RunC.open(path, 1, 16, 1).close()
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def test_a_file_cut_anywhere_is_refused(library, small, tmp_path):
    whole, cut = small[0].read_bytes(), tmp_path / "cut.gguf"
    for size in [*range(300), *range(300, len(whole), 97), len(whole) - 40]:
        cut.write_bytes(whole[:size])
        refuse(cut)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "too short"),
        (b"PK\x03\x04" + bytes(100), "not a GGUF file; export one"),
        (b"GGUF" + (1).to_bytes(4, "little") + bytes(100), "GGUF version 1, expected 2 or 3"),
        (b"GGUF" + (3).to_bytes(4, "big") + bytes(100), "big-endian"),
        (b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 100, "promises more than the file holds"),
        (b"GGUF" + (3).to_bytes(4, "little") + bytes(100), "architecture is ``"),
    ],
)
def test_what_is_not_a_model_is_named(library, tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    assert message in refuse(tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.add_uint32("llama.expert_count", 8), "mixture of 8 experts"),
        (lambda w: w.add_string("llama.rope.scaling.type", "yarn"), "RoPE scaling `yarn`"),
        (
            lambda w: w.add_tensor("blk.0.attn_q.bias", np.zeros(256, np.float32)),
            "tensor blk.0.attn_q.bias is none",
        ),
        (
            lambda w: w.kv_data[0]["llama.block_count"].__setattr__("value", 3),
            "tensor blk.2.attn_norm.weight is missing",
        ),
        (lambda w: w.kv_data[0]["llama.block_count"].__setattr__("value", 4000), "fewer tensors than layers"),
        (lambda w: w.kv_data[0]["llama.embedding_length"].__setattr__("value", 128), "expected 265 x 128"),
        (
            lambda w: w.kv_data[0]["llama.attention.head_count"].__setattr__("value", 0),
            "head_count is 0, expected 1",
        ),
        (lambda w: w.kv_data[0]["llama.attention.head_count_kv"].__setattr__("value", 3), "cannot share 3"),
        (lambda w: w.kv_data[0]["general.architecture"].__setattr__("value", "qwen2"), "runs `llama` only"),
    ],
)
def test_keys_that_lie_are_named(library, tools, tmp_path, change, message):
    tools.write_gguf(tmp_path / "model.gguf", change=change)
    assert message in refuse(tmp_path / "model.gguf")


def test_a_type_we_do_not_read_is_named_with_those_we_do(library, tools, tmp_path):
    def q5(writer):
        writer.add_tensor("output.weight", np.zeros((265, 176), np.uint8), raw_dtype=tools.Type.Q5_0)

    tools.write_gguf(tmp_path / "model.gguf", tools.Shape(tied=True), change=q5)
    assert "weights of type 6; export it as F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K" in refuse(
        tmp_path / "model.gguf"
    )


def fuzz(compiler, folder, files, rounds, seed):
    harness, source = folder / "fuzz", Path(__file__).with_name("fuzz.c")
    subprocess.run([compiler, *SANITISE, "-o", harness, source, "-lm", "-lpthread"], check=True)
    done = subprocess.run(
        [harness, str(seed), str(rounds), *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    refused, ran = map(int, re.search(r"(\d+) refused, (\d+) ran", done.stdout).groups())
    assert refused > rounds / 10 and ran > rounds / 20  # both halves of the code were visited
    return done.stdout


def test_two_thousand_mutated_files_are_survived_under_sanitisers(compiler, small, tmp_path):
    assert fuzz(compiler, tmp_path, small, 2000, seed=1).startswith("2000 mutated files")


@pytest.mark.slow
def test_two_hundred_thousand_mutated_files_are_survived_under_sanitisers(compiler, small, tmp_path):
    assert fuzz(compiler, tmp_path, small, 200_000, seed=2).startswith("200000 mutated files")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q6_K"])
def test_valgrind_finds_nothing_in_a_whole_run(need, program, tools, tmp_path, kind, monkeypatch):
    valgrind = need("valgrind")
    monkeypatch.setenv("NEXTWORD_KERNELS", "scalar")  # it does not know AVX-512
    tools.write_gguf(tmp_path / "model.gguf", kind=tools.Type[kind])
    words = ["--leak-check=full", "--error-exitcode=99", "--quiet", program, tmp_path / "model.gguf"]
    subprocess.run(
        [valgrind, *words, "-p", "hello world", "-n", "4", "--threads", "2"], check=True, capture_output=True
    )
