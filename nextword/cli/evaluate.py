"""Examine models side by side, and write a report card that can be mailed."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from nextword.cli.flagging import LABELS, PROJECT, Labels, Project
from nextword.cli.options import verb
from nextword.common.errors import BadInput
from nextword.common.files import check_writable
from nextword.common.progress import Progress
from nextword.data.questions import read_questions
from nextword.engine.quote import Quoter
from nextword.evaluate.card_page import write_card
from nextword.evaluate.card_table import card_table
from nextword.evaluate.examination import EvaluateSettings, examine
from nextword.evaluate.helped import helped, told
from nextword.evaluate.papers import papers_of
from nextword.evaluate.stages import stages_of
from nextword.recipes.pages_at_hand import at_hand

if TYPE_CHECKING:
    from nextword.recipes.round_flags import FlagBox

TASKS = "gsm8k, mmlu, bbh, piqa, klue_nli, klue_sts, kornli, korquad, xstest; joined by commas"


@verb(EvaluateSettings)
def run(
    settings: EvaluateSettings,
    models: Annotated[list[str], typer.Argument(help="runs (all their stages) or models; or NAME=MODEL")],
    questions: Annotated[Path | None, typer.Option(help="held-out documentation questions")] = None,
    pages: Annotated[Path | None, typer.Option(help="a search index, for the last model to quote")] = None,
    tasks: Annotated[str, typer.Option(help=TASKS)] = "",
    data: Annotated[Path, typer.Option(help="the folder where the data of these tasks lies")] = Path("data"),
    tokens: Annotated[Path | None, typer.Option(help="token shards (RUN/tokens), for bits per byte")] = None,
    report: Annotated[Path, typer.Option(help="the page; JSON goes beside it")] = Path("card.html"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
    flag_wrong: Annotated[
        bool, typer.Option("--flag-wrong", help="flag the last model's wrong answers, for people to correct")
    ] = False,
    flag_most: Annotated[int, typer.Option(help="answers flagged at most", min=0)] = 20,
    labels: Labels = LABELS,
    project: Project = PROJECT,
) -> None:
    """Open, ask, mark, write. What cannot end well is found before work that may take hours."""
    check_writable(report)
    if flag_wrong and questions is None:
        do = "give --questions, or leave --flag-wrong out"
        raise BadInput("--flag-wrong flags answers to documentation questions, and there are none", do=do)
    stages = stages_of(models, device)
    last_model = stages[-1].name
    flags = _flags(labels, project) if flag_wrong else nullcontext()
    if pages and (last := stages[-1].model):
        stages += at_hand(last, pages)
        Quoter(last())  # refuses a model that cannot quote
    asked = list(read_questions(questions)) if questions else []
    if questions and not asked:
        raise BadInput("holds no question", where=questions, do="give the held-out questions of a run")
    names = [name.strip() for name in tasks.split(",") if name.strip()]
    papers = papers_of(asked, names, data, settings.most, settings.shots)
    title, made = Path(models[0].rpartition("=")[2]).name, f"{datetime.now(UTC):%Y-%m-%d}"
    with flags as box, Progress("evaluate", unit="answers") as progress:
        examined = examine(
            stages, papers, settings, title=title, made=made, tokens=tokens, device=device,
            progress=progress,
        )  # fmt: skip
        card = told(examined)
        write_card(report, card)
        if box:
            progress.say(f"{box.flag_wrong(card, last_model, flag_most):,} wrong answers flagged")
    Console().print(card_table(card))
    unasked = sum(one.count for one in card.unasked)
    print(f"{report}: {len(card.answers):,} answers, of which {unasked:,} questions could not be asked")
    if found := helped(card):
        print(found.en)


def _flags(labels: str, project: str) -> FlagBox:
    from nextword.recipes.round_flags import FlagBox  # the database, only where something is flagged

    return FlagBox.open(labels, project, lambda: datetime.now(UTC))
