"""A capacity check, not a speed claim: run.c maps a 70B-shaped file of 138 GB and yields a token.

    python benchmarks/capacity_70b.py [--dir FOLDER]

The file has Llama-2-70B's shape in F16 and is sparse: header, vocabulary, norms and one row of the
embedding are written, the matrices are holes that the file system reads as zeros, about as fast as a fast
disk. So every byte is mapped, checked and multiplied, the disk holds a few megabytes, and what is shown is
that sizes, offsets and memory hold out on a machine with far less memory than the file. The token means
nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import gguf
import numpy as np
from report import figure, record

from nextword.runner.build import SOURCE, build

LAYERS, HIDDEN, HEADS, KV_HEADS, FFN, VOCABULARY = 80, 8192, 64, 8, 28672, 32000


def tensors() -> dict[str, tuple[int, ...]]:
    """Names and shapes in the file's order."""
    narrow = HIDDEN // HEADS * KV_HEADS
    layer: dict[str, tuple[int, ...]] = {"attn_norm": (HIDDEN,), "ffn_norm": (HIDDEN,)}
    layer |= {"attn_q": (HIDDEN, HIDDEN), "attn_k": (narrow, HIDDEN), "attn_v": (narrow, HIDDEN)}
    layer |= {"attn_output": (HIDDEN, HIDDEN), "ffn_gate": (FFN, HIDDEN), "ffn_up": (FFN, HIDDEN)}
    layer |= {"ffn_down": (HIDDEN, FFN)}
    names: dict[str, tuple[int, ...]] = {"token_embd": (VOCABULARY, HIDDEN)}
    names |= {f"blk.{number}.{name}": dims for number in range(LAYERS) for name, dims in layer.items()}
    return names | {"output_norm": (HIDDEN,), "output": (VOCABULARY, HIDDEN)}


def write_sparse(path: Path) -> int:
    """The file, nearly all of it holes; returns its size."""
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(4096)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    words = [f"▁w{number}" for number in range(VOCABULARY - 259)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words])
    writer.add_token_scores([0.0] * 259 + [-float(number) for number in range(len(words))])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * len(words))
    writer.add_bos_token_id(1)
    for name, dims in tensors().items():
        kind = np.dtype(np.float32 if len(dims) == 1 else np.float16)
        writer.add_tensor_info(f"{name}.weight", dims, kind, int(np.prod(dims)) * kind.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    return fill(path)


def fill(path: Path) -> int:
    """After the header: norms of one, the row of BOS, and holes to the end."""
    size = -(-path.stat().st_size // 32) * 32
    with path.open("r+b") as file:
        for name, dims in tensors().items():
            if len(dims) == 1:
                file.seek(size)
                file.write(np.ones(dims, np.float32).tobytes())
            elif name == "token_embd":
                file.seek(size + 2 * HIDDEN)
                file.write(np.random.default_rng(0).standard_normal(HIDDEN).astype(np.float16).tobytes())
            size += int(np.prod(dims)) * (4 if len(dims) == 1 else 2)  # every one a multiple of 32
        file.truncate(size)
    return size


def watch(command: list[str]) -> tuple[float, float, float]:
    """Run it: seconds, and the most it held of its own memory and of the file's pages, in GiB."""
    start, most = time.monotonic(), {"RssAnon": 0, "RssFile": 0}
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in most:
                most[name] = max(most[name], int(value.split()[0]))
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"run ended with {process.returncode}")
    return time.monotonic() - start, most["RssAnon"] / 2**20, most["RssFile"] / 2**20


def main() -> None:
    """Write, run, measure, delete."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, help="where the sparse file goes (a file system that has holes)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        path, program = Path(folder) / "70b.gguf", build(SOURCE, Path(folder) / "run")
        size = write_sparse(path)
        on_disk = path.stat().st_blocks * 512
        seconds, own, mapped = watch(
            [
                str(program),
                str(path),
                "-p",
                "",
                "-n",
                "1",
                "-t",
                "1",
                "-k",
                "0",
                "--top-p",
                "1",
                "--seed",
                "1",
            ]
        )
    total = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    lines = [
        figure("70B capacity check, file, GB", size / 1e9),
        figure("70B capacity check, on disk, MB", on_disk / 1e6),
        figure(
            "70B capacity check, machine's memory, GiB", total, "less than the file", total * 2**30 < size
        ),
        figure("70B capacity check, seconds to one token", seconds),
        figure("70B capacity check, own memory at most, GiB", own),
        figure("70B capacity check, pages of the file held at most, GiB", mapped),
    ]
    record("capacity-70b", lines, "A capacity check on a sparse file: the matrices are holes, read as zeros.")


if __name__ == "__main__":
    main()
