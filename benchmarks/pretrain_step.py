"""Tokens a second of the pretraining step, beside transformers' Llama on the same weights and text.

    .venv/bin/python benchmarks/pretrain_step.py                      about ten minutes on two quiet cores
    .venv/bin/python benchmarks/pretrain_step.py --steps 18           timing only: about three
    .venv/bin/python benchmarks/pretrain_step.py --losses             losses only

What is compared: the whole step (forward, backward, clipping, fused AdamW) at depth 4, hidden 256, vocabulary
4096, batch 8, T 512, bf16, two threads. Ours is `nextword.train.step.TrainingStep`, which `nextword pretrain`
calls, without torch.compile (what pretrain takes on a CPU) and with; the peer is a plain loop around
`LlamaForCausalLM` under bf16 autocast, eager and compiled. A third row gives the peer our malloc thresholds
(nextword/train/memory.py), to show what the rest is worth.

How: every side is a process of its own that sleeps while another works; in each round each side takes two
steps. Speeds are medians over all timed steps; a ratio is the median of the ratios of the rounds, so that
a noise that lasts longer than a round meets both. On a machine that others use too, threads wait for each
other's turn, and only the ratio of least processor times with `--threads 1` is worth reading. The first
step, with its compilation, is shown apart. All sides start from the same weights and see the same rows in
the same order, with the same rate after a linear warm-up of 20 steps: after `--steps` steps their losses must
agree within 0.02 nats (mean of the last 20 steps, and mean of all). Two runs of the peer itself, eager and
compiled, differ too, since bf16 rounds differently; that difference is the yardstick and is shown.

The text is the Python standard library's own source, so that anyone can repeat it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from report import figure, record
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import ByteLevelBPETokenizer

from nextword.model.config import ModelConfig
from nextword.model.config_file import config_to_json
from nextword.model.llama import Llama
from nextword.train.optimiser import Optimiser, OptimiserSettings
from nextword.train.step import Batch, NextTokenLoss, TrainingStep

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".peers" / "transformers" / "bin" / "python"
DEPTH, VOCABULARY, ROWS, CONTEXT = 4, 4096, 8, 512
RATE, WARMUP, BETAS, CLIP = 1e-3, 20, (0.9, 0.95), 1.0
STEPS_A_ROUND = 2
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}


def write_setup(path: Path, steps: int, threads: int) -> None:
    """First weights and all rows, for every side the same."""
    config = ModelConfig.of_depth(DEPTH, VOCABULARY, CONTEXT, tied=False)
    model = Llama(config)
    model.initialise(seed=0)
    setup = {
        "config": config_to_json(config),
        "rate": RATE,
        "warmup": WARMUP,
        "betas": BETAS,
        "clip": CLIP,
        "threads": threads,
    }
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file({**tensors, "rows": text_rows(steps)}, path, metadata={"setup": json.dumps(setup)})


def text_rows(steps: int) -> torch.Tensor:
    """Random windows of the standard library's source: (steps, B, T + 1) int64."""
    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sources]
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(texts, vocab_size=VOCABULARY, show_progress=False)
    ids = torch.tensor([id for one in tokenizer.encode_batch(texts) for id in one.ids])
    coin = random.Random(0)
    starts = [coin.randrange(len(ids) - CONTEXT) for _ in range(steps * ROWS)]
    return torch.stack([ids[start : start + CONTEXT + 1] for start in starts]).view(steps, ROWS, -1)


def serve(path: str, compiled: bool) -> None:
    """Our side: a number of steps a line in, {"seconds", "cpu_seconds", "losses"} out."""
    with safe_open(path, framework="pt") as file:
        setup = json.loads(file.metadata()["setup"])
        rows = file.get_tensor("rows")
        weights = {name: file.get_tensor(name) for name in file.keys() if name != "rows"}  # noqa: SIM118
    torch.set_num_threads(setup["threads"])
    model = Llama(ModelConfig.of_depth(DEPTH, VOCABULARY, CONTEXT, tied=False))
    model.load_state_dict(weights)
    settings = OptimiserSettings(kind="adamw", vector_rate=RATE, betas=BETAS, weight_decay=0.0)
    optimiser = Optimiser(dict(model.named_parameters()), settings)
    trainer = TrainingStep(NextTokenLoss(model), optimiser, precision="bf16", clip=CLIP, compile=compiled)
    done = 0
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, cpu_seconds, losses = [], [], []
        for taken, tokens in enumerate(rows[done : done + int(line)], start=done):
            began, cpu_began = time.perf_counter(), time.process_time()
            optimiser.factor = min(1.0, (taken + 1) / WARMUP)
            batch = Batch(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())
            losses.append(trainer.step(batch).loss.item())
            seconds.append(time.perf_counter() - began)
            cpu_seconds.append(time.process_time() - cpu_began)
        done += int(line)
        print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "losses": losses}), flush=True)


class Side:
    """One of the processes compared."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )
        self.rounds: list[float] = []  # seconds a step, each the mean of a round
        self.seconds: list[float] = []
        self.cpu_seconds: list[float] = []
        self.losses: list[float] = []
        self._answer()

    def steps(self, count: int) -> tuple[list[float], list[float]]:
        """Take steps; the seconds of each, by the wall and by the processors together."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        answer = json.loads(self._answer())
        self.losses += answer["losses"]
        return answer["seconds"], answer["cpu_seconds"]

    def round(self) -> None:
        """One timed round."""
        seconds, cpu_seconds = self.steps(STEPS_A_ROUND)
        self.seconds += seconds
        self.cpu_seconds += cpu_seconds
        self.rounds.append(statistics.fmean(seconds))

    @property
    def tokens_per_second(self) -> float:
        return ROWS * CONTEXT / statistics.median(self.seconds)

    @property
    def best(self) -> str:
        """What noise took least from."""
        wall, processors = min(self.seconds), min(self.cpu_seconds)
        return f"fastest {ROWS * CONTEXT / wall:,.0f}; least processor time {processors:.3f} s a step"

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended early, exit code {self.process.wait()}")
        return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=200, help="steps every side takes in all")
    parser.add_argument("--rounds", type=int, default=12, help="timed rounds of two steps")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--losses", action="store_true", help="compare losses only")
    parser.add_argument("--serve", metavar="SETUP", help=argparse.SUPPRESS)
    parser.add_argument("--compile", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.compile)
        return
    if not PEER.exists():
        raise SystemExit(f"{PEER.relative_to(ROOT)} is not there; `make peers` builds it")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "setup.safetensors"
        write_setup(path, given.steps, given.threads)
        ours = [sys.executable, __file__, "--serve", str(path)]
        peer = [str(PEER), str(ROOT / "benchmarks" / "peers" / "llama_step.py"), str(path)]
        if given.losses:
            lines = compare_losses(ours, peer, given.steps)
        else:
            lines = compare(ours, peer, given.steps, given.rounds)
    name = "pretrain-step-losses" if given.losses else "pretrain-step"
    record(name, [f"threads: {given.threads}, steps: {given.steps}", *lines])


def compare_losses(ours: list[str], peer: list[str], steps: int) -> list[str]:
    """How far apart the two are after the same steps, ten at a time so that one can watch."""
    sides = {
        "nextword": Side("nextword", ours),
        "transformers": Side("transformers", peer),
        "transformers compiled": Side("transformers compiled", [*peer, "--compile"]),
    }
    while (taken := len(sides["nextword"].losses)) < steps:
        for side in sides.values():
            side.steps(min(10, steps - taken))
        shown = ", ".join(f"{name} {side.losses[-1]:.4f}" for name, side in sides.items())
        print(f"  step {len(sides['nextword'].losses)}: {shown}", flush=True)
    return losses(sides)


def compare(ours: list[str], peer: list[str], steps: int, rounds: int) -> list[str]:
    """Every figure, as lines."""
    sides = {
        "nextword": Side("nextword", ours),
        "nextword compiled": Side("nextword compiled", [*ours, "--compile"]),
        "transformers": Side("transformers", peer),
        "transformers compiled": Side("transformers compiled", [*peer, "--compile"]),
        "transformers compiled, memory kept": Side("the same", [*peer, "--compile"], KEEP_MEMORY),
    }
    lines = [figure(f"first step, {name}, seconds", side.steps(1)[0][0]) for name, side in sides.items()]
    for side in sides.values():
        side.steps(1)  # settle caches and memory
    for _ in range(min(rounds, (steps - 2) // STEPS_A_ROUND)):
        for side in sides.values():
            side.round()
    lines += speeds(sides)
    del sides["transformers compiled, memory kept"]  # its losses are those of the row above it
    for side in sides.values():
        side.steps(steps - len(side.losses))
    return lines + losses(sides)


def speeds(sides: dict[str, Side]) -> list[str]:
    """Tokens a second of each side, and the ratios that matter."""
    lines = [
        figure(f"{name}, tokens/s", f"{side.tokens_per_second:,.0f} ({side.best})")
        for name, side in sides.items()
    ]
    peers = ("transformers", "transformers compiled")
    better = min(peers, key=lambda name: statistics.median(sides[name].seconds))
    for name in ("nextword", "nextword compiled"):
        value = ratio(sides[name], sides[better])
        lines.append(figure(f"{name} over {better}", value, ">= 1.3, hoped 1.5", value >= 1.3))
        least = min(sides[better].cpu_seconds) / min(sides[name].cpu_seconds)
        lines.append(figure(f"{name} over {better}, least processor time", least))
    kept = sides["transformers compiled, memory kept"]
    return [*lines, figure(f"nextword over {kept.name} with memory kept", ratio(sides["nextword"], kept))]


def ratio(side: Side, other: Side) -> float:
    """How many times as fast: the median over rounds."""
    return statistics.median(b / a for a, b in zip(side.rounds, other.rounds, strict=True))


def losses(sides: dict[str, Side]) -> list[str]:
    """How far our losses are from the eager peer's."""
    reference, lines = sides["transformers"].losses, []
    for name, side in sides.items():
        lines.append(figure(f"{name}, loss of the last 20 steps", statistics.fmean(side.losses[-20:])))
        if name != "transformers":
            gaps = [mine - its for mine, its in zip(side.losses, reference, strict=True)]
            mean, last = statistics.fmean(gaps), statistics.fmean(gaps[-20:])
            within = max(abs(mean), abs(last)) <= 0.02
            shown = (
                f"{mean:+.4f} over all steps, {last:+.4f} over the last 20, most {max(map(abs, gaps)):.4f}"
            )
            lines.append(figure(f"{name}, loss less transformers'", shown, "within 0.02", within))
    return lines


if __name__ == "__main__":
    main()
