"""The journal of a make: which stages are done, how long they took, and how much of the budget is left.

It is what makes `nextword make` resumable: a stage that is done is skipped, a stage that was under way is
asked to go on, and the time that has been spent stays spent. One small JSON file, `make.json`, written
atomically after every stage.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from nextword.common.errors import BadInput
from nextword.common.files import read_json, write_json

R = TypeVar("R")


class Journal:
    """The record of one run folder. `settings` are those that decide what the folder will hold."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.path = folder / "make.json"
        self.stages: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            found = read_json(self.path)
            changed = sorted(
                name for name, value in settings.items() if found.get("settings", {}).get(name) != value
            )
            if changed:
                raise BadInput(
                    f"was begun with another {' and '.join(changed)}",
                    where=folder,
                    do="repeat the first command to continue it, or choose another --out",
                )
            self.stages = found["stages"]
        self.settings = settings

    def stage(self, name: str, work: Callable[[], R]) -> R | None:
        """Do the work of a stage once. Returns its result, or None when it had been done before."""
        if name in self.stages:
            return None
        start = time.monotonic()
        result = work()
        facts = dataclasses.asdict(result) if dataclasses.is_dataclass(result) else result  # type: ignore[arg-type]
        self.stages[name] = {"seconds": round(time.monotonic() - start, 1), "result": plain(facts)}
        write_json(self.path, {"settings": self.settings, "stages": self.stages})
        return result

    def result(self, name: str) -> Any:
        """What a finished stage returned, as plain JSON."""
        return self.stages[name]["result"]

    @property
    def seconds(self) -> float:
        """How long the finished stages took, all runs together."""
        return float(sum(stage["seconds"] for stage in self.stages.values()))


def plain(value: Any) -> Any:
    """The same facts with nothing but JSON's own types: paths become text, tuples lists."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
