"""Train a base model on a run's token shards; interrupted, the same command continues."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.cli.options import verb
from nextword.train.pretrain import PretrainSettings, pretrain


@verb(PretrainSettings)
def run(
    settings: PretrainSettings,
    folder: Annotated[Path, typer.Argument(help="a run folder with tokens/ and tokenizer/")],
    out: Annotated[Path | None, typer.Option(help="where the model goes", show_default="RUN/base")] = None,
) -> None:
    """Pretrain, then say how it ended."""
    made = pretrain(settings, folder / "tokens", folder / "tokenizer", out or folder / "base")
    print(f"{made.model}: {made.parameters:,} parameters, {made.depth} layers")
    print(f"{made.tokens:,} tokens in {made.steps:,} steps ({made.epochs:.1f} times the text)")
    print(f"{made.bits_per_byte:.4f} bits per byte on held-out documents")
    share = "" if made.mfu is None else f", model-flops utilisation {made.mfu:.0%}"
    print(f"{made.tokens_per_second:,.0f} tokens a second{share}")
