"""The spot check for a terminal: each question with its page, under it each stage's answer and its mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from nextword.common.terminal import printable

LONGEST = 160
"""Letters of an answer shown."""


def print_spot_check(
    record: Sequence[Mapping[str, Any]],
    console: Console | None = None,
    pages: Mapping[str, str] | None = None,
) -> None:
    """Print the table of `spot_record`; pages: where a person finds an address, if not there."""
    (console or Console()).print(spot_table(record, pages or {}))


def spot_table(record: Sequence[Mapping[str, Any]], pages: Mapping[str, str]) -> Group:
    """The questions, and how many each stage has right."""
    body = Table.grid(padding=(0, 1))
    body.add_column(justify="right", style="dim")
    body.add_column(no_wrap=True)
    body.add_column(width=1)
    body.add_column(overflow="fold")
    right: dict[str, int] = {}
    for number, one in enumerate(record, 1):
        body.add_row(str(number), "", "", Text(printable(one["question"]), "bold"))
        link = printable(pages.get(one["url"], one["url"]))
        body.add_row("", "page", "", Text(link, f"link {link}" if _is_web(link) else ""), style="dim")
        for name, answer in one["answers"].items():
            body.add_row("", name, *_shown(answer))
            right[name] = right.get(name, 0) + answer["right"]
    totals = [f"{name} {count} of {len(record)}" for name, count in right.items()]
    return Group(body, Text("right: " + ", ".join(totals), "bold"))


def _shown(answer: Mapping[str, Any]) -> tuple[Text, Text]:
    """(mark, answer) in a line or two."""
    if answer["end"] == "failed":
        return Text("-", "yellow"), Text(printable(answer["error"]), "yellow")
    text = " ".join(printable(answer["text"]).split())
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return Text("✓" if answer["right"] else "✗", "green" if answer["right"] else "red"), Text(
        text or "(nothing)"
    )


def _is_web(address: str) -> bool:
    return address.startswith(("http://", "https://", "file://"))
