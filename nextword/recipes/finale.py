"""What a person sees in the terminal when a make is done."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nextword.common.files import read_json
from nextword.common.records import read_records
from nextword.common.terminal import bars, printable
from nextword.evaluate.spot_table import print_spot_check
from nextword.recipes.journal import Journal
from nextword.recipes.report import compared

BLANK_LINES = re.compile(r"\n\s*\n")
COLOURS = {"memorised": "green", "plausible": "yellow", "invented": "red", "lost": "dim"}
MOST_CHARACTERS = 700
"""Of a page and its dream, as much as fits a screen beside each other."""


def show_finale(console: Console, folder: Path, journal: Journal) -> None:
    """Print the story: dreams, a page recalled, next words, bits per byte, the files, and what to do next."""
    facts, base = journal.result("looks"), journal.result("pretrain")
    show = Show(console)
    show.heading("The same prompt, dreamed on")
    for sample in read_records(folder / "base" / "samples.jsonl"):
        show.line(f"{sample['percent']:>4} %  {_on_one_line(sample['prompt'] + sample['text'])}")
    if facts["page"]:
        show.heading("A page of the training text, and what the model remembers of it")
        show.recalled(facts["page"])
    show.heading(f"The next word after {facts['prompt']!r}")
    for line in bars([(text, probability) for text, probability in facts["next_words"]]):
        show.line(f"  {line}")
    show.heading("Bits per byte on held-out pages (lower is better)")
    show.compared(compared(journal))
    checked = read_json(folder / "spot_check.json") if "check" in journal.stages else []
    if "check" in journal.stages:
        show.heading(f"{len(checked) or 'No'} held-out questions, answered by every stage")
        print_spot_check(checked, console, journal.result("check")["pages"])
        if found := journal.result("check").get("helped"):
            show.line(f"  {found['en']}")
    show.heading("Your two files")
    released = journal.result("release")
    for path in (released["gguf"], released["source"]):
        if path:
            show.line(f"  {path}  {Path(path).stat().st_size:,} bytes")
    shape = f"{base['parameters']:,} parameters, {base['depth']} layers"
    show.line(f"  {shape}, {base['tokens']:,} tokens read ({base['epochs']:.1f} times the text)")
    if facts["speed"]:
        show.line(f"  run.c writes {facts['speed']['generate']:,.0f} tokens a second on this machine")
    show.heading("Look")
    show.line(f"  {facts['report']}  the whole story, with the curves")
    show.line(f"  {folder / 'clean' / 'report.html'}  what came in, and what was dropped and why")
    if "check" in journal.stages:
        show.line(f"  {journal.result('check')['report']}  the report card: every stage side by side")
    show.heading("What to type next")
    if released["program"]:
        show.line(f'  {released["program"]} {released["gguf"]} -p "{facts["prompt"]}"')
    nextword = "nextword" if Path(".venv/bin/nextword").exists() is False else ".venv/bin/nextword"
    if "check" in journal.stages:
        show.line(f"  {nextword} chat {folder}")
        for one in checked[:1]:
            show.line(f"  {nextword} ask {folder} {shlex.quote(one['question'])}")
    show.line(f'  {nextword} see {folder} "{facts["prompt"]}"')
    show.line(f"  {nextword} recall {folder}")
    show.line(f"  {nextword} make --source ~/your/folder --minutes 20")


class Show:
    """A console that never interprets what it prints."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def heading(self, text: str) -> None:
        """A line that begins a part."""
        self.console.print(Text(f"\n{printable(text)}", style="bold"))

    def line(self, text: str) -> None:
        """A line as it is."""
        self.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def compared(self, rows: list[tuple[str, float]]) -> None:
        """A bar for each model, shorter is better."""
        longest = max(value for _, value in rows)
        for name, value in rows:
            style = "bold green" if name == "this model" else ""
            self.console.print(
                Text(f"  {name:>12}  {'█' * round(40 * value / longest):<40}  {value:.3f}", style)
            )

    def recalled(self, page: dict[str, Any]) -> None:
        """The page and the dream side by side, coloured."""
        table = Table(show_lines=False, expand=True)
        table.add_column(f"the page ({printable(page['url'])})", ratio=1, overflow="fold")
        table.add_column("the model", ratio=1, overflow="fold")
        given = Text(printable(_tail(page["prompt"])), style="dim")
        table.add_row(given, given)
        table.add_row(_coloured(page["true"]), _coloured(page["said"]))
        self.console.print(table)
        legend = Text("  ")
        for kind, share in page["shares"].items():
            legend.append(f"{kind} {share:.0%}  ", COLOURS[kind])
        self.console.print(legend.append(f"the page shrinks {page['compression']:.1f} to 1 under this model"))


def _coloured(spans: list[list[str]]) -> Text:
    text, room = Text(), MOST_CHARACTERS
    for words, kind in spans:
        shown = BLANK_LINES.sub("\n", words)[:room]
        text.append(printable(shown), COLOURS[kind])
        room -= len(shown)
        if room <= 0:
            return text.append(" …", "dim")
    return text


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-3:])


def _on_one_line(text: str) -> str:
    return " ".join(text.split())[:160]
