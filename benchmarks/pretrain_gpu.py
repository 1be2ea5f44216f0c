"""Model-flops utilisation of the pretraining step on one GPU: depth 12, T 2048, bf16.

    python benchmarks/pretrain_gpu.py                about two minutes on an H100, compilation included
    python benchmarks/pretrain_gpu.py --smoke        the same code, small, on whatever is here (seconds)

What is measured: `TrainingStep` with Muon and AdamW, as `nextword pretrain` puts them together on CUDA
(compiled), on random tokens: a step's speed does not depend on what the text says. MFU is (6 N_matmul +
6 L T C) operations a token (`ModelConfig.flops_per_token`) x tokens a second, over the dense bf16 peak of the
data sheet (`train/peak.py`). Target: at least 40 %. The median of the steps after the first three counts;
compilation is shown apart. On a device without a known peak, and in the smoke run, the peak is a measured
matrix product and nothing is claimed.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from report import figure, record

from nextword.model.config import ModelConfig
from nextword.model.llama import Llama
from nextword.train.distributed import choose_device
from nextword.train.optimiser import Optimiser, OptimiserSettings
from nextword.train.peak import peak_flops
from nextword.train.step import Batch, NextTokenLoss, TrainingStep

TARGET = 0.40
WARM_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a small model for a few steps, not recorded")
    parser.add_argument("--depth", type=int, default=12)
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--vocabulary", type=int, default=32_768)
    parser.add_argument("--rows", type=int, default=32, help="rows computed at once")
    parser.add_argument("--pieces", type=int, default=4, help="pieces a step adds up")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--no-compile", action="store_true")
    given = parser.parse_args()
    if given.smoke:
        given.depth, given.context, given.vocabulary = 2, 64, 512
        given.rows, given.pieces, given.steps, given.no_compile = 2, 2, 3, True
    device = choose_device("auto")
    if device.type != "cuda" and not given.smoke:
        figure("pretrain gpu", "no CUDA device here: run it where one is, or take --smoke")
        raise SystemExit(2)
    lines = measure(given, device)
    if not given.smoke:
        record("pretrain-gpu", lines)


def measure(given: argparse.Namespace, device: torch.device) -> list[str]:
    """Take the steps and say what they did."""
    config = ModelConfig.of_depth(given.depth, given.vocabulary, given.context)
    model = Llama(config)
    model.initialise(seed=0)
    model.to(device)
    optimiser = Optimiser(dict(model.named_parameters()), OptimiserSettings(), "bf16")
    trainer = TrainingStep(
        NextTokenLoss(model),
        optimiser,
        precision="bf16",
        accumulation=given.pieces,
        compile=not given.no_compile,
    )
    rows = given.rows * given.pieces
    seconds, losses = [], []
    for step in range(given.steps + WARM_UP):
        generator = torch.Generator().manual_seed(step)
        tokens = torch.randint(given.vocabulary, (rows, given.context + 1), generator=generator).to(device)
        began = time.perf_counter()
        losses.append(float(trainer.step(Batch(tokens[:, :-1], tokens[:, 1:])).loss))  # waits for the device
        seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds[WARM_UP:])
    speed = rows * given.context / median
    utilisation = speed * config.flops_per_token(given.context) / peak_flops(device, bf16=True)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    target = "" if given.smoke else f">= {TARGET:.0%}"
    return [
        figure("device", f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}"),
        figure("shape", f"depth {given.depth}, T {given.context}, {rows} rows a step, {given.rows} at once"),
        figure("parameters", f"{config.num_parameters:,}"),
        figure("first step, compiling, seconds", seconds[0]),
        figure("step, seconds", median),
        figure("tokens a second", speed),
        figure("loss, first and last", f"{losses[0]:.3f}, {losses[-1]:.3f}"),
        figure("memory, GiB", _memory(device)),
        figure("MFU", f"{utilisation:.1%}", target, None if given.smoke else utilisation >= TARGET),
    ]


def _memory(device: torch.device) -> float:
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0


if __name__ == "__main__":
    main()
