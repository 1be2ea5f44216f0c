"""Fetch open weights from a hub, or one file from an address; interrupted, the same command continues."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.cli.options import verb
from nextword.data.pull import PullSettings, pull
from nextword.model.config_file import read_config


@verb(PullSettings)
def run(
    settings: PullSettings,
    source: Annotated[str, typer.Argument(help="OWNER/NAME on the hub, or the address of a page or file")],
    out: Annotated[Path | None, typer.Option(help="where it goes", show_default="runs/NAME")] = None,
) -> None:
    """Pull, then say what came and under which licence."""
    made = pull(settings, source, out, check=read_config)
    where = f"from {made.source}" + (f" at {made.commit[:12]}" if made.commit else "")
    print(f"{made.path}  {made.bytes:,} bytes, {made.fetched:,} fetched, {where}")
    for name, hash in made.files.items():
        print(f"  {hash}  {name}")
    print(f"licence: {made.licence or 'not named; read its page before you use or share it'}")
    for note in made.notes:
        print(f"note: {note}")
    print(f'next: nextword generate {made.path} "Once upon a time"')
