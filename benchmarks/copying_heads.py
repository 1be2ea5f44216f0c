"""Pretraining that begins with two copying heads, beside one that begins all at random.

    .venv/bin/python benchmarks/copying_heads.py --run runs/python-docs           about ten minutes
    .venv/bin/python benchmarks/copying_heads.py --run runs/python-docs --steps 700

RUN is a finished make, whose tokens and tokenizer are taken. Per seed the same steps, text and rates twice;
only the first weights differ (`nextword pretrain --no-copying-heads`). Counted in steps, so that a busy
machine changes no figure. Finished runs in RUN/copying-heads are not trained again.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from report import figure, record

from nextword.common.threads import spin_briefly
from nextword.train.pretrain import PretrainSettings, pretrain

SEEDS = (0, 1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/python-docs"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--depth", type=int, default=3)
    given = parser.parse_args()
    spin_briefly()
    found = {
        has_heads: [bits_per_byte(given, has_heads, seed) for seed in SEEDS] for has_heads in (True, False)
    }
    made, plain = found[True], found[False]
    lines = [figure(f"depth {given.depth}, steps", given.steps)]
    for name, bits in (("with copying heads", made), ("all at random", plain)):
        each = ", ".join(f"{one:.4f}" for one in bits)
        lines.append(figure(f"{name}, bits per byte", f"{statistics.fmean(bits):.4f} ({each})"))
    saved = [100 * (1 - one / other) for one, other in zip(made, plain, strict=True)]
    target = "saved with every seed"
    lines.append(figure("saved, %", f"{statistics.fmean(saved):.1f}", target, min(saved) > 0))
    record("copying-heads", lines)


def bits_per_byte(given: argparse.Namespace, has_heads: bool, seed: int) -> float:
    """Of one run, on the held-out text."""
    settings = PretrainSettings(
        steps=given.steps, depth=given.depth, seed=seed, copying_heads=has_heads, sample_tokens=8
    )
    name = f"{'heads' if has_heads else 'random'}-{given.depth}-{given.steps}-{seed}"
    run: Path = given.run
    return pretrain(settings, run / "tokens", run / "tokenizer", run / "copying-heads" / name).bits_per_byte


if __name__ == "__main__":
    main()
