"""What is inside a file: GGUF, token shard, or checkpoint folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.recipes.contents import contents


def run(
    path: Annotated[Path, typer.Argument(help="a .gguf file, a .tokens shard, a checkpoint or run folder")],
    verify: Annotated[bool, typer.Option(help="read it whole and compare its checksum")] = False,
) -> None:
    """Print what the file says of itself."""
    for line in contents(path, verify):
        print(line)
