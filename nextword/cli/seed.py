"""Conversations that make a base model of the Python documentation answer questions about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.cli.options import verb
from nextword.common.progress import Progress
from nextword.data.questions import QuestionSettings
from nextword.data.seed import seed_conversations

RUN = Path("runs/python-docs")


@verb(QuestionSettings)
def run(
    settings: QuestionSettings,
    crawl: Annotated[Path, typer.Option(help="a finished crawl of python-docs")] = RUN / "crawl",
    out: Annotated[Path, typer.Option(help="the folder that is made, or made anew")] = RUN / "seed",
) -> None:
    """Ask, answer, write, then say how much of what there is."""
    with Progress("seed", unit="pages") as progress:
        made = seed_conversations(settings, crawl, out, progress)
    for name in ("train", "heldout", "own"):
        part = made[name]
        print(f"{out / name}.jsonl: {part['conversations']:,} conversations, {part['bytes']:,} bytes")
        for key in ("form", "lang"):
            each = [f"{value} {n['conversations']:,} ({n['bytes']:,})" for value, n in part[key].items()]
            print(f"  by {key}, (bytes): {', '.join(each)}")
    asked = made["questions"]["heldout"]
    types = [f"{type} {n['questions']:,}" for type, n in asked["types"].items()]
    print(f"{out / 'questions.heldout.jsonl'}: {', '.join(types)}; one in each language")
