"""The report card for a terminal: one row for each number, one column for each stage."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from nextword.common.terminal import printable
from nextword.evaluate.card import Card, Line
from nextword.evaluate.card_words import measure, value


def card_table(card: Card) -> Table:
    """The card's lines; a row says so where low is good."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    for stage in card.stages:
        table.add_column(printable(stage), justify="right")
    for task in dict.fromkeys(line.task for line in card.lines):
        table.add_row(Text(printable(task), "bold"))
        for line in (each for each in card.lines if each.task == task):
            table.add_row(Text(f"  {_name(line)}"), *(_cell(line, stage) for stage in card.stages))
    return table


def _name(line: Line) -> str:
    words = measure(line.key)
    return words.en + {"high": "", "low": " (low is good)", "neither": ""}[words.better]


def _cell(line: Line, stage: str) -> Text:
    found = line.cells.get(stage)
    return Text(value(line.key, found.mean) if found and found.count else "-")
