"""Progress a person can watch: a live bar in a terminal, a line now and then in a log.

with Progress("collect", total=288, unit="pages") as progress:
    progress.advance(facts="json.html")
    progress.say("skipped antigravity: it opens a browser")
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from nextword.common.terminal import printable

LOG_SECONDS = 10.0
"""How often a log (no terminal) gets a line."""


class Progress:
    """One stage's progress. Cheap to call often: the terminal is redrawn a few times a second at most."""

    def __init__(
        self, title: str, total: float | None = None, unit: str = "", console: Console | None = None
    ) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.done = 0.0
        self.facts = ""
        self.console = console or Console(file=sys.stderr)
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._logged = 0.0

    def __enter__(self) -> Self:
        self._logged = time.monotonic()
        if self.console.is_terminal:
            columns = (
                TextColumn("[bold]{task.description:<10}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[count]}", markup=False),
                TextColumn("{task.fields[facts]}", style="dim", markup=False),
                TimeRemainingColumn(compact=True),
            )
            self._bar = Bar(*columns, console=self.console, refresh_per_second=5)
            self._task = self._bar.add_task(self.title, total=self.total, count="", facts="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show(force=True)
        if self._bar:
            self._bar.stop()

    def advance(self, amount: float = 1, facts: str | None = None, total: float | None = None) -> None:
        """Count more of the unit done, and say in a few words how it goes."""
        self.set(self.done + amount, facts, total)

    def set(self, done: float, facts: str | None = None, total: float | None = None) -> None:
        """Set how much is done (and of how much, when that has become known)."""
        self.done = done
        self.facts = self.facts if facts is None else printable(facts)
        self.total = self.total if total is None else total
        self._show()

    def say(self, line: str) -> None:
        """Print a line above the bar; it stays."""
        self.console.print(printable(line), markup=False, highlight=False)

    def _count(self) -> str:
        of = f" / {self.total:,.0f}" if self.total else ""
        return f"{self.done:,.0f}{of} {self.unit}".rstrip()

    def _show(self, force: bool = False) -> None:
        if self._bar and self._task is not None:
            self._bar.update(
                self._task, completed=self.done, total=self.total, count=self._count(), facts=self.facts
            )
        elif force or time.monotonic() - self._logged > LOG_SECONDS:
            self._logged = time.monotonic()
            self.say(f"{self.title}: {self._count()}  {self.facts}".rstrip())
