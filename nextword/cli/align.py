"""Make an assistant prefer what people prefer, or do what is rewarded; the same command continues it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nextword.cli.options import verb
from nextword.common.folder_lock import working_in
from nextword.train.align import AlignData, AlignSettings, align
from nextword.train.origin import origin


@verb(AlignSettings)
def run(
    settings: Any,
    assistant: Annotated[Path, typer.Argument(help="a run with an assistant, or a checkpoint folder")],
    data: Annotated[list[Path] | None, typer.Option(help="comparisons; with --reward prompts")] = None,
    reward: Annotated[
        Path | None, typer.Option(help="a reward model, as `nextword reward` makes one, or a run with one")
    ] = None,
    task: Annotated[Path | None, typer.Option(help="questions whose answers a machine can check")] = None,
    closed_book: Annotated[
        bool, typer.Option("--closed-book", help="ask the task's questions without their pages")
    ] = False,
    tokens: Annotated[
        Path | None, typer.Option(help="plain text to learn beside (RUN/tokens), with --ptx-weight")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="where it goes", show_default="ASSISTANT/aligned")] = None,
) -> None:
    """Align, then say how it ended."""
    out = out or assistant / "aligned"
    if reward and (reward / "reward" / "model").is_dir():
        reward = reward / "reward"  # a run with one of its own
    origin(assistant, out)  # an assistant that is not there is refused before the folder is made
    learnt = AlignData(tuple(data or ()), reward, task, closed_book, tokens)
    with working_in(out):
        made = align(settings, assistant, learnt, out)
    for reason, count in made.left_out.items():
        print(f"left out: {count:,} {reason}")
    print(f"{made.model}: {made.told()}")
    if stopped := getattr(made, "stopped", ""):
        print(f"stopped early: {stopped}")
    print(f"plot: {out / 'curves.png'}")
    print(f"next: nextword chat {made.model}")
