"""run.c beside llama.cpp: tokens per second on the same random file, alternating, medians.

    python benchmarks/runner.py [--rounds 5] [--types Q8_0 Q4_0 F16]

The shapes are those of llama2.c's 110M and 15M models with a vocabulary of 32000; speed does not depend on
what the weights are. Each round runs both programs once, in turn: a prompt of 512 tokens and 128 single ones,
each from an empty past, the sampler left out on both sides, two threads for both. llama.cpp is the one inside
llama-cpp-python, built natively by `make peers`; where it is absent run.c's figures stand alone.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import tempfile
from pathlib import Path

import gguf
import numpy as np
from report import figure, record

from nextword.runner.build import SOURCE, build

PEER = Path(__file__).parents[1] / ".peers" / "llama" / "bin" / "python"
VOCABULARY = 32000
SHAPES = {"110M": (768, 12, 12, 2048), "15M": (288, 6, 6, 768)}
THREADS = 2
PEER_PROGRAM = """
import ctypes, sys, time
import llama_cpp as L
path, threads, prompt, tokens = sys.argv[1], *map(int, sys.argv[2:5])
quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *a: None)
L.llama_log_set(quiet, None)
model = L.Llama(path, n_ctx=prompt, n_batch=512, n_ubatch=512, n_threads=threads, n_threads_batch=threads,
                verbose=False)
ids = [(i * 7919) % 32000 for i in range(max(prompt, tokens))]
def forget():
    model.reset()
    model._ctx.kv_cache_clear()
def step(some, start):
    model._batch.set_batch(some, n_past=start, logits_all=False)
    model._ctx.decode(model._batch)
step(ids[:1], 0)
forget()
a = time.perf_counter()
step(ids[:prompt], 0)
b = time.perf_counter()
forget()
c = time.perf_counter()
for i in range(tokens):
    step(ids[i : i + 1], i)
d = time.perf_counter()
print(f"prefill {prompt}: {prompt / (b - a):.1f} tokens/s")
print(f"generate {tokens}: {tokens / (d - c):.1f} tokens/s")
"""


def write_model(path: Path, shape: tuple[int, int, int, int], kind: gguf.GGMLQuantizationType) -> None:
    """A random Llama of this shape, every matrix of this type."""
    hidden, layers, heads, ffn = shape
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(layers)
    writer.add_context_length(1024)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)
    add_tokenizer(writer)
    matrices = {"attn_q": (hidden, hidden), "attn_k": (hidden, hidden), "attn_v": (hidden, hidden)}
    matrices |= {"attn_output": (hidden, hidden), "ffn_gate": (ffn, hidden), "ffn_up": (ffn, hidden)}
    matrices |= {"ffn_down": (hidden, ffn)}
    names = {"token_embd": (VOCABULARY, hidden), "output": (VOCABULARY, hidden)}
    names |= {f"blk.{n}.{name}": dims for n in range(layers) for name, dims in matrices.items()}
    for name, (rows, cols) in names.items():
        weights = gguf.quantize(rng.standard_normal((rows, cols), dtype=np.float32) * np.float32(0.02), kind)
        plain = kind in (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16)
        writer.add_tensor(f"{name}.weight", weights, raw_dtype=None if plain else kind)
    norms = [f"blk.{n}.{name}" for n in range(layers) for name in ("attn_norm", "ffn_norm")]
    for name in [*norms, "output_norm"]:
        writer.add_tensor(f"{name}.weight", np.ones(hidden, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tokenizer(writer: gguf.GGUFWriter) -> None:
    """SentencePiece as Llama 2 has it: three specials, the bytes, and words nobody will ask for."""
    words = [f"▁w{n}" for n in range(VOCABULARY - 259)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words])
    writer.add_token_scores([0.0] * 259 + [-float(n) for n in range(len(words))])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * len(words))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def measure(command: list[str]) -> tuple[float, float]:
    """Prefill and generation, tokens per second, of one run."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    speeds = [float(found) for found in re.findall(r": ([\d.]+) tokens/s", done.stdout)]
    return speeds[0], speeds[1]


def compare(folder: Path, program: Path, size: str, kind: str, rounds: int) -> list[str]:
    """One file: both programs in turn, medians, their ratio."""
    path = folder / f"{size}-{kind}.gguf"
    write_model(path, SHAPES[size], gguf.GGMLQuantizationType[kind])
    commands = {"run.c": [str(program), str(path), "--bench", "--threads", str(THREADS)]}
    if PEER.exists():
        commands["llama.cpp"] = [str(PEER), "-c", PEER_PROGRAM, str(path), str(THREADS), "512", "128"]
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            speeds[name].append(measure(command))
    path.unlink()
    lines = []
    for place, what in enumerate(("prefill 512", "generate 128")):
        medians = {name: statistics.median(speed[place] for speed in runs) for name, runs in speeds.items()}
        for name, value in medians.items():
            lines.append(figure(f"{size} {kind} {what}, {name}, tokens/s", value))
        if len(medians) == 2:
            ratio = medians["run.c"] / medians["llama.cpp"]
            is_goal = (size, kind, place) == ("110M", "Q8_0", 1)
            goal = (">= 0.8", ratio >= 0.8) if is_goal else ("", None)
            lines.append(figure(f"{size} {kind} {what}, run.c over llama.cpp", ratio, *goal))
    return lines


def main() -> None:
    """Measure every shape and type and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--types", nargs="+", default=["Q8_0"], choices=["Q8_0", "Q4_0", "F16", "BF16", "F32"]
    )
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        program = build(SOURCE, Path(folder) / "run")
        for size in options.shapes:
            for kind in options.types:
                lines += compare(Path(folder), program, size, kind, options.rounds)
    load = f"load average at the end {os.getloadavg()[0]:.2f}"
    if not options.no_record:
        record("runner", lines, f"Two threads on {os.cpu_count()} cores, {options.rounds} rounds, {load}.")


if __name__ == "__main__":
    main()
