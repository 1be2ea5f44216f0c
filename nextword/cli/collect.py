"""Crawl a site, or read a folder or a file, into an archive of pages that cleaning reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.cli.options import verb
from nextword.common.terminal import printable
from nextword.data.collect import SUMMARY, CollectSettings, collect


@verb(CollectSettings)
def run(
    settings: CollectSettings,
    out: Annotated[Path, typer.Option(help="the archive's folder")] = Path("runs/python-docs/crawl"),
) -> None:
    """Collect, then say what came in."""
    print(printable(collect(settings, out).told(out / SUMMARY)))
