"""A true page beside what the model remembers of it, coloured by memorised, plausible and invented."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nextword import engine
from nextword.cli.options import verb
from nextword.common.errors import BadInput
from nextword.evaluate.recall import RecallSettings
from nextword.recipes.finale import Show
from nextword.recipes.looks import page_recalled


@verb(RecallSettings)
def run(
    settings: RecallSettings,
    folder: Annotated[Path, typer.Argument(help="a run folder, with its clean/ documents")],
    page: Annotated[
        str, typer.Argument(help="how the page's address ends, such as json", show_default="any")
    ] = "",
    model: Annotated[str, typer.Option(help="another model than the run's own")] = "",
) -> None:
    """Recall one page."""
    found = page_recalled(folder, engine.open(model or folder), page, settings)
    if found is None:
        raise BadInput(
            f"no page whose address ends in {page!r}", where=folder / "clean", do="try json or random"
        )
    Show(Console()).recalled(found)
