"""The way of a seed: steps that are taken once, with their times and results in FOLDER/way.json.

A step keeps its things in FOLDER/NAME. It is done again, from nothing, when what it takes from the plan has
changed or a step that it builds on was done again; one that was stopped goes on, if what it calls can.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nextword.common.files import read_json, write_json
from nextword.common.provenance import commit
from nextword.common.records import digest


@dataclass(frozen=True)
class Step:
    """A step of the way: what it does, which steps it builds on, and what it takes from the plan."""

    name: str
    work: Callable[[], Any]
    after: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


class Way:
    """The steps of one seed, their times and results, in FOLDER/way.json."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.folder, self.facts, self.path = folder, facts, folder / "way.json"
        self.steps: dict[str, dict[str, Any]] = read_json(self.path) if self.path.exists() else {}

    def take(self, step: Step) -> None:
        """Do a step, go on with it, or leave it when it is done."""
        named = {name: self.facts[name] for name in ("corpus", "seed", *step.uses)}
        key = digest(json.dumps([named, [self.steps[name]["made"] for name in step.after]]))[:16]
        known = self.steps.get(step.name)
        if known is None or known["key"] != key:
            shutil.rmtree(self.folder / step.name, ignore_errors=True)
            known = {"key": key, "wall": 0.0, "cpu": 0.0, "begun": 0, "ended": 0, "is_done": False}
        if known["is_done"]:
            return
        self._kept(step.name, known, begun=known["begun"] + 1)
        wall, cpu = time.perf_counter(), processor()
        try:
            known |= {"result": plain(step.work()), "is_done": True, "commit": commit(), "made": now()}
        finally:
            known |= {
                "wall": known["wall"] + time.perf_counter() - wall,
                "cpu": known["cpu"] + processor() - cpu,
            }
            self._kept(step.name, known, ended=known["ended"] + 1)
        print(f"{step.name}: {known['wall']:.0f} s, {known['cpu']:.0f} s of processor time", flush=True)

    def _kept(self, name: str, known: dict[str, Any], **more: Any) -> None:
        known |= more
        self.steps[name] = known
        write_json(self.path, self.steps)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def processor() -> float:
    """Seconds of processor time so far, of all threads and of children that have ended."""
    return sum(os.times()[:4])


def plain(result: Any) -> Any:
    """A result as JSON has it: of a dataclass its fields, of a path its text."""
    return json.loads(json.dumps(result, default=lambda one: asdict(one) if is_dataclass(one) else str(one)))


def timed(step: dict[str, Any]) -> dict[str, Any]:
    """A step's times and result; `lost`: how often it was killed, so that its time is not known."""
    result = {name: value for name, value in step["result"].items() if name != "model"}
    return {
        "wall": round(step["wall"], 1),
        "cpu": round(step["cpu"], 1),
        "lost": step["begun"] - step["ended"],
        "commit": step["commit"],
        "result": result,
    }
