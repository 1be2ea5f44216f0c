"""What a person sees of rounds in a terminal: how one ended and why, and which assistants there have been."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nextword.common.files import read_json
from nextword.common.terminal import printable
from nextword.evaluate.interval import Interval
from nextword.recipes.gate import Decision
from nextword.recipes.lineage import Corrections, chain
from nextword.recipes.promotion import ROUNDS, assistant_of, name_of
from nextword.recipes.round import folders
from nextword.recipes.round_run import Outcome
from nextword.recipes.round_settings import BEGUN, DECISION, PROMOTED, VERSION


def show_outcome(console: Console, outcome: Outcome, is_dry: bool) -> None:
    """The figures, the reasons, and what is in use now."""
    decision = outcome.decision
    if outcome.is_repeated:
        _line(console, f"nothing new since round {outcome.number}, which has said:")
    console.print(_table(decision))
    for note in decision.notes:
        _line(console, note)
    for reason in decision.reasons:
        _line(console, f"refused: {reason}", "red")
    _line(console, _ending(outcome, is_dry), "bold")
    _line(console, f"both side by side: {outcome.folder / 'card.html'}")


def show_history(console: Console, run: Path) -> None:
    """Every round, and from what the assistant in use has grown."""
    used = assistant_of(run)
    table = Table("round", "corrections", "from", "gate", "", box=None, pad_edge=False)
    for folder in folders(run):
        version = Corrections(**read_json(folder / VERSION)) if (folder / VERSION).exists() else None
        told = f"version {version.version}, {version.taken:,} of {version.records:,}" if version else "-"
        parent = read_json(folder / BEGUN)["parent"] if (folder / BEGUN).exists() else "-"
        is_used = used == (folder / "finetuned").resolve()
        cells = (str(int(folder.name)), told, parent, _state(folder), "in use" if is_used else "")
        table.add_row(*map(printable, cells))
    console.print(table)
    _line(console, " <- ".join([name_of(run, used), *_ancestors(run, used)]))


def _state(folder: Path) -> str:
    if not (folder / DECISION).exists():
        return "under way"
    if not read_json(folder / DECISION)["is_promoted"]:
        return "refused"
    return "promoted" if (folder / PROMOTED).exists() else "passed (dry run)"


def _ancestors(run: Path, stage: Path) -> list[str]:
    return [f"{one.parent} + corrections version {one.corrections.version}" for one in chain(run, stage)]


def _ending(outcome: Outcome, is_dry: bool) -> str:
    name = f"{ROUNDS}/{outcome.folder.name}/finetuned"
    if not outcome.decision.is_promoted:
        return f"round {outcome.number} is refused; the assistant is the one it was"
    if outcome.is_used:
        return f"round {outcome.number} is promoted: {name} is the assistant in use"
    if is_dry:
        return f"round {outcome.number} would be promoted; the same command without --dry-run does it"
    return f"round {outcome.number} was promoted once, and another assistant is in use since"


def _table(decision: Decision) -> Table:
    table = Table("", "before", "after", "change", "95 %", "n", box=None, pad_edge=False)
    for each in decision.findings:
        grown = each.change
        ends = f"{grown.low:+.1%} to {grown.high:+.1%}"
        cells = [each.task, _share(each.before), _share(each.after), f"{grown.mean:+.1%}", ends]
        style = "red" if each.refused else ""
        table.add_row(*(Text(printable(cell), style) for cell in [*cells, f"{grown.count:,}"]))
    if decision.bits:
        before, after = decision.bits
        percent = f"{after / before - 1:+.1%}"
        table.add_row("bits per byte (low is good)", f"{before:.3f}", f"{after:.3f}", percent, "exact", "")
    return table


def _share(found: Interval) -> str:
    return f"{found.mean:.1%}"


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(printable(text), style), soft_wrap=True)
