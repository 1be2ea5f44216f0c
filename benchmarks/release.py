"""How fast and in how much memory a folder that transformers made becomes a GGUF.

    .venv/bin/python benchmarks/release.py [--shape 110m]

transformers (in its own environment, `make peers`) saves a random Llama of the shape, sharded, in bf16; then
each type is released from it in a process of its own. Memory is the process's own (anonymous), which the
mapped checkpoint is not part of: it should be that of a few tensors, whatever the model's size.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from report import figure, record

from nextword.common.errors import Missing
from nextword.common.progress import Progress
from nextword.release.parameters import write_parameters

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / ".peers" / "transformers" / "bin" / "python"
SHAPES = {  # hidden, layers, heads, ffn
    "15m": (288, 6, 6, 768),
    "110m": (768, 12, 12, 2048),
}
MAKE = """
import json, sys, torch, transformers
config = transformers.LlamaConfig(**json.loads(sys.argv[2]))
transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(sys.argv[1], max_shard_size="100MB")
"""


def own_memory() -> int:
    """Bytes of this process that are no file's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


class Watching(threading.Thread):
    """Looks at the memory every few milliseconds, so that what comes and goes within a tensor is seen too."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.ended = 0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.003):
            self.most = max(self.most, own_memory())


def measure(checkpoint: Path, type: str) -> None:
    """One release, in this process: prints seconds, bytes and the memory it took beyond torch itself."""
    import nextword.model.checkpoint  # noqa: F401 (torch, so that it is not counted)

    before, began = own_memory(), time.perf_counter()
    out = checkpoint.parent / f"{type}.gguf"
    watching = Watching()
    watching.start()
    with Progress(type) as progress:
        write_parameters(checkpoint, out, type, progress)
    seconds = time.perf_counter() - began
    watching.ended.set()
    watching.join()
    print(json.dumps({"seconds": seconds, "bytes": out.stat().st_size, "memory": watching.most - before}))
    out.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="110m")
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "TYPE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(Path(options.measure[0]), options.measure[1])
    if not PEER.exists():
        raise Missing("transformers is not at hand", do="run `make peers` first")
    sys.path.insert(0, str(ROOT / "tests" / "release"))
    from folders import VOCAB, write_tokenizer

    hidden, layers, heads, wide = SHAPES[options.shape]
    config = {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads}
    config |= {"num_key_value_heads": heads, "intermediate_size": wide, "vocab_size": 32000}
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "theirs"
        subprocess.run([PEER, "-c", MAKE, folder, json.dumps(config)], check=True, capture_output=True)
        write_tokenizer(folder)  # ours of VOCAB tokens; the other rows become unused ones
        size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
        lines.append(figure(f"{options.shape} folder, bf16, {VOCAB} tokens named", f"{size / 1e6:.0f} MB"))
        for type in ("F32", "F16", "BF16", "Q8_0", "Q4_0"):
            command = [sys.executable, __file__, "--measure", folder, type]
            found = json.loads(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            )
            speed = size / 2 / found["seconds"] / 1e6
            shown = f"{found['seconds']:.2f} s, {found['bytes'] / 1e6:.0f} MB, {speed:.0f} M weights/s"
            lines.append(figure(f"release {type}", shown))
            largest = 32000 * hidden * 4
            memory = found["memory"] / largest
            lines.append(figure(f"memory {type}, in largest tensors as F32", memory, "< 6", memory < 6))
    record("release", lines)
    return None


if __name__ == "__main__":
    main()
