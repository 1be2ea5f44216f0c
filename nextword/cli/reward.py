"""Train a reward model from people's comparisons; interrupted, the same command continues."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.cli.options import verb
from nextword.common.folder_lock import working_in
from nextword.train.origin import origin
from nextword.train.reward import RewardSettings, train_reward


@verb(RewardSettings)
def run(
    settings: RewardSettings,
    assistant: Annotated[Path, typer.Argument(help="a run with an assistant, or a checkpoint folder")],
    data: Annotated[list[Path], typer.Option(help="comparisons, JSON Lines (repeatable)")],
    out: Annotated[Path | None, typer.Option(help="where it goes", show_default="ASSISTANT/reward")] = None,
) -> None:
    """Train, then say how it ended."""
    out = out or assistant / "reward"
    begin = origin(assistant, out)  # refused before the folder is made
    with working_in(out):
        made = train_reward(settings, begin, data, out)
    for reason, count in made.left_out.items():
        print(f"left out: {count:,} {reason}")
    print(f"{made.model}: {made.told()}")
    print(f"plots: {out / 'curves.png'}" + (f", {out / 'calibration.png'}" if made.held_out else ""))
    print(f"next: nextword align {assistant} --method ppo --reward {out} --data {data[0]}")
