"""The journal of a make: which stages are done, how long they took, and how much of the budget is left.

It is what makes `nextword make` resumable: a stage that is done is skipped, a stage that was under way is
asked to go on, and the time that has been spent stays spent. One small JSON file, `make.json`, written
atomically after every stage.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import read_json, write_json

R = TypeVar("R")


class Journal:
    """The record of one run folder. `settings` are those that decide what the folder will hold."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.path = folder / "make.json"
        self.stages: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            begun, self.stages = _read(self.path, settings.keys())
            changed = sorted(name for name, value in settings.items() if begun.get(name) != value)
            if changed:
                raise BadInput(
                    f"was begun with another {' and '.join(changed)}",
                    where=folder,
                    do="repeat the first command to continue it, or choose another --out",
                )
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


def _read(path: Path, names: Collection[str]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The settings, some of which have these names, and the stages; Corrupt for what is none of ours."""
    do = "restore it, or choose another --out"
    try:
        found = read_json(path)
    except Corrupt as error:
        raise Corrupt(error.what, where=path, do=do) from error
    match found:
        case {"settings": dict(settings), "stages": dict(stages)} if all(map(_is_stage, stages.values())):
            if not names or settings.keys() & names:
                return settings, stages
    raise Corrupt("is not the journal of a make", where=path, do=do)


def _is_stage(found: Any) -> bool:
    match found:
        case {"seconds": int() | float(), "result": _}:
            return True
    return False


def plain(value: Any) -> Any:
    """The same facts with nothing but JSON's own types: paths become text, tuples lists."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
