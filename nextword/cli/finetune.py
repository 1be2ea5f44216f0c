"""Teach a base model to answer, from conversations; interrupted, the same command continues."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.cli.options import verb
from nextword.common.errors import BadInput
from nextword.common.folder_lock import working_in
from nextword.train.finetune import FinetuneData, FinetuneSettings, finetune


@verb(FinetuneSettings)
def run(
    settings: FinetuneSettings,
    base: Annotated[Path, typer.Argument(help="a run of ours, or any Llama-family folder")],
    data: Annotated[list[Path], typer.Option(help="conversations, JSON Lines (repeatable)")],
    heldout: Annotated[list[Path] | None, typer.Option(help="conversations to measure on")] = None,
    tokens: Annotated[Path | None, typer.Option(help="token shards to replay (RUN/tokens)")] = None,
    out: Annotated[Path | None, typer.Option(help="where it goes", show_default="BASE/finetuned")] = None,
    show_mask: Annotated[
        bool, typer.Option("--show-mask", help="show what is learnt, train nothing")
    ] = False,
) -> None:
    """Finetune, then say how it ended."""
    files = FinetuneData(tuple(data), tuple(heldout or ()), tokens)
    if show_mask:
        from nextword.train.masks import print_masks

        print_masks(base, files, settings.template)
        return
    if out is None and not base.is_dir():
        raise BadInput("no such folder", where=base)
    out = out or base / "finetuned"
    with working_in(out):
        made = finetune(settings, base, files, out)
    print(
        f"{made.model}: {made.conversations:,} conversations, {made.epochs:.1f} times, {made.steps:,} steps"
    )
    for reason, count in made.left_out.items():
        print(f"left out: {count:,} {reason}")
    print(f"loss {made.loss:.3f} nats a learnt token")
    if made.heldout_before is not None and made.heldout_after is not None:
        print(f"held-out conversations: {made.heldout_before:.3f} before, {made.heldout_after:.3f} after")
