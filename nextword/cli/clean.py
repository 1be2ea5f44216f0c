"""Keep what is worth reading of a crawl, and write a report of what was dropped and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.cli.options import verb
from nextword.common.terminal import printable
from nextword.data.clean import CleanSettings, clean


@verb(CleanSettings)
def run(
    settings: CleanSettings,
    crawl: Annotated[Path, typer.Argument(help="a folder that `nextword collect` wrote")],
    out: Annotated[
        Path | None, typer.Option(help="where documents go", show_default="beside the crawl")
    ] = None,
) -> None:
    """Clean, then say what is left and where the report is."""
    print(printable(str(clean(settings, crawl, out or crawl.parent / "clean"))))
