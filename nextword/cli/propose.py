"""Draft questions about any documents, answered by their own words, for people to approve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.cli.options import verb
from nextword.common.progress import Progress
from nextword.common.terminal import printable
from nextword.data.propose import ProposeSettings, propose


@verb(ProposeSettings)
def run(
    settings: ProposeSettings,
    source: Annotated[Path, typer.Argument(help="a folder or a file: txt, md, html, pdf, docx, hwpx, jsonl")],
    out: Annotated[Path, typer.Option(help="the proposals (.jsonl)")] = Path("proposals.jsonl"),
) -> None:
    """Read, ask, write, then say what came of it."""
    with Progress("propose", unit="documents") as progress:
        made = propose(settings, source, out, progress)
    rules = ", ".join(f"{rule} {count:,}" for rule, count in made["rules"].items())
    print(printable(f"{out}: {made['proposals']:,} proposals from {made['documents']:,} documents ({rules})"))
    if made["refused"]:
        print(f"{made['refused']:,} refused: the drafter's answer does not stand in the page")
    if made["unread"]:
        print(f"{made['unread']:,} files could not be read, or hold no text")
    print(printable(f"to approve them: nextword label init; nextword label import {out}; and then"))
    print("people (nextword label serve) or a rule (nextword label approve) say yes or no")
