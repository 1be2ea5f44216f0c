"""Bits per byte of a model on a run's held-out documents, beside simple compressors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.recipes.measure import measure


def run(
    folder: Annotated[Path, typer.Argument(help="a run folder, with its tokens/")],
    model: Annotated[str, typer.Option(help="a checkpoint folder; empty takes the run's own")] = "",
    baselines: Annotated[bool, typer.Option(help="also measure the n-gram and xz baselines")] = True,
) -> None:
    """Print one line for each."""
    for name, bits in measure(folder, model, baselines):
        print(f"{name:>12}  {bits:.4f} bits per byte")
