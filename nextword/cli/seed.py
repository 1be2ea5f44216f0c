"""Conversations that make a base model answer: derived from Python's documentation, or approved proposals."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from nextword.cli.options import verb
from nextword.common.progress import Progress
from nextword.data.propose import documents
from nextword.data.proposed_seed import seed_of_approved
from nextword.data.questions import QuestionSettings
from nextword.data.seed import seed_conversations

RUN = Path("runs/python-docs")


@verb(QuestionSettings)
def run(
    settings: QuestionSettings,
    crawl: Annotated[Path, typer.Option(help="a finished crawl of python-docs")] = RUN / "crawl",
    approved: Annotated[
        Path | None, typer.Option(help="approved proposals (.jsonl), in place of a crawl")
    ] = None,
    pages: Annotated[
        Path | None, typer.Option(help="with --approved: the documents, for reading practice")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="the folder that is made, or made anew", show_default="beside the input"),
    ] = None,
) -> None:
    """Ask, answer, write, then say how much of what there is."""
    out = out or (approved or crawl).parent / "seed"
    if approved:
        read = documents(pages, Counter()) if pages else ()
        made = seed_of_approved(settings, approved, out, read)
    else:
        with Progress("seed", unit="pages") as progress:
            made = seed_conversations(settings, crawl, out, progress)
    for name in ("train", "heldout", "own"):
        part = made[name]
        print(f"{out / name}.jsonl: {part['conversations']:,} conversations, {part['bytes']:,} bytes")
        for key in ("form", "lang"):
            each = [f"{value} {n['conversations']:,} ({n['bytes']:,})" for value, n in part[key].items()]
            print(f"  by {key}, (bytes): {', '.join(each)}")
    asked = made["questions"]["heldout"]
    kinds = [f"{type} {n['questions']:,}" for type, n in asked["types"].items()]
    kinds += [f"{lang} {n:,}" for lang, n in asked["languages"].items()]
    print(f"{out / 'questions.heldout.jsonl'}: {', '.join(kinds)}")
