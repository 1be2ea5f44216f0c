"""Ask a question and have it answered by a quotation from one's own pages, with its place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from nextword import engine
from nextword.cli.flagging import LABELS, PROJECT, Labels, Project
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.common.terminal import printable
from nextword.tools.answering import Answer, Answerer, asked, shown
from nextword.tools.search import Index


def run(
    model: Annotated[Path, typer.Argument(help="a run folder, whose pages are searched, or a model")],
    question: Annotated[str, typer.Argument(help="what you want to know")],
    pages: Annotated[
        Path | None, typer.Option(help="the search index", show_default="MODEL/search.db")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
    flag: Annotated[str, typer.Option(help="why this answer is wrong: people will correct it")] = "",
    labels: Labels = LABELS,
    project: Project = PROJECT,
) -> None:
    """Search, read, quote."""
    if not question.strip():
        raise BadInput("the question is empty", do="ask something")
    if pages is None and model.is_file():
        raise BadInput("a file has no pages beside it", where=model, do="name their index with --pages")
    with Index.open(pages or model / "search.db") as index:
        answer = Answerer(engine.open(model, device=device, assistant=True), index).answer(question)
    print(printable(answer.text))
    if answer.hit:
        print(f"  from {printable(answer.hit.title)}, {printable(answer.url)}")
    if flag:
        from nextword.recipes.round_flags import FlagBox  # the database, only where something is flagged

        with FlagBox.open(labels, project, lambda: datetime.now(UTC)) as box:
            print(f"flagged: task {box.flag(_said(question, answer), flag, 'ask', str(model))}")


def _said(question: str, answer: Answer) -> Conversation:
    """The question, the passage that was read, where one was quoted, and the answer."""
    before = asked(question, shown(answer.hit)).messages if answer.hit else [Message("user", question)]
    return Conversation([*before, Message("assistant", answer.text)], meta={"url": answer.url})
