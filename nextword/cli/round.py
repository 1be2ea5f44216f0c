"""Corrected answers make the next assistant, unless it is worse at anything: then the gate says at what.

Exit code 0: promoted, or would be (--dry-run). 1: refused, the assistant is the one it was. 2: an error.
Interrupted, the same command continues.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nextword.cli.flagging import LABELS, PROJECT, Labels, Project
from nextword.cli.options import verb
from nextword.recipes.round_settings import RoundFiles, RoundSettings

REFUSED = 1
"""The exit code when the gate refuses."""
QUESTIONS = typer.Option(help="held-out questions", show_default="RUN/seed/questions.heldout.jsonl")
DATA = typer.Option(help="former conversations (repeatable)", show_default="what the assistant was taught")
CANARIES = typer.Option(help="conversations whose answers must never be lost (repeatable)")


@verb(RoundSettings)
def run(
    settings: RoundSettings,
    run: Annotated[Path, typer.Argument(help="a run with an assistant")] = Path("runs/python-docs"),
    labels: Labels = LABELS,
    project: Project = PROJECT,
    questions: Annotated[Path | None, QUESTIONS] = None,
    data: Annotated[list[Path] | None, DATA] = None,
    canaries: Annotated[list[Path] | None, CANARIES] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="teach and decide, but leave the assistant as it is")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="go back to the assistant before")] = False,
    history: Annotated[bool, typer.Option("--history", help="show all rounds, and do nothing")] = False,
) -> None:
    """One round, or a look at those there were."""
    from nextword.recipes import round, round_story

    console = Console()
    if history:
        round_story.show_history(console, run)
    elif undo:
        before, after = round.undo(run)
        print(f"{before} is the assistant in use again; {after} stays where it is")
    else:
        files = RoundFiles(labels, project, questions, tuple(data or ()), tuple(canaries or ()))
        say = Console(stderr=True, markup=False, highlight=False).print
        outcome = round.run_round(settings, run, files, lambda: datetime.now(UTC), dry_run, say)
        round_story.show_outcome(console, outcome, dry_run)
        if not outcome.decision.is_promoted:
            raise typer.Exit(REFUSED)
