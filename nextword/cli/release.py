"""Write the two files: parameters (GGUF) and the program that runs them (run.c), with a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.cli.options import verb
from nextword.release.release import ReleaseSettings, release


@verb(ReleaseSettings)
def run(
    settings: ReleaseSettings,
    model: Annotated[Path, typer.Argument(help="a run folder, or any checkpoint folder")],
    out: Annotated[Path | None, typer.Option(help="where they go", show_default="MODEL/release")] = None,
) -> None:
    """Release, then name the files and how to run them."""
    made = release(settings, model, out or model / "release")
    for path in (made.gguf, made.source, made.program, made.card):
        if path is not None:
            print(f"{path}  {path.stat().st_size:,} bytes")
    for note in made.notes:
        print(f"note: {note}")
    if made.program is not None:
        print(f'try: {made.program} {made.gguf} -p "Return the"')
