"""The most likely next words after a text, as bars."""

from __future__ import annotations

from typing import Annotated

import typer

from nextword import engine
from nextword.common.settings import check_range
from nextword.common.terminal import bars
from nextword.evaluate.next_word import next_words

MOST = 1000
"""Rows: beyond that no word is likely, and nobody reads on."""


def run(
    model: Annotated[str, typer.Argument(help="a run or checkpoint folder, a .gguf file")],
    prompt: Annotated[str, typer.Argument(help="the text so far")],
    count: Annotated[int, typer.Option("--count", "-n", help=f"how many words, at most {MOST:,}")] = 10,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
) -> None:
    """Print the distribution of the next word."""
    check_range("count", count, least=1, most=MOST)
    print("\n".join(bars(next_words(engine.open(model, device=device), prompt, count))))
