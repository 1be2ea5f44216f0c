"""Ask a question and have it answered by a quotation from one's own pages, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.terminal import printable
from nextword.tools.answering import Answerer
from nextword.tools.search import Index


def run(
    model: Annotated[Path, typer.Argument(help="a run folder, whose pages are searched, or a model")],
    question: Annotated[str, typer.Argument(help="what you want to know")],
    pages: Annotated[
        Path | None, typer.Option(help="the search index", show_default="MODEL/search.db")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
) -> None:
    """Search, read, quote."""
    if not question.strip():
        raise BadInput("the question is empty", do="ask something")
    with Index.open(pages or model / "search.db") as index:
        answer = Answerer(engine.open(model, device=device, assistant=True), index).answer(question)
    print(printable(answer.text))
    if answer.hit:
        print(f"  from {printable(answer.hit.title)}, {printable(answer.url)}")
