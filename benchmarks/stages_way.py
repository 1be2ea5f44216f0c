"""The way of a seed: steps that are taken once, with their times and results in FOLDER/way.json.

A step keeps its things in FOLDER/NAME. It is done again, from nothing, when what it takes from the plan has
changed or a step that it builds on was done again; one that was stopped goes on, if what it calls can.

Every step is a process of its own, and two go side by side, of one thread each: two threads learn a tiny
model hardly faster than one. Only where all others wait for a step is it two processes, which share its
batch.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

from nextword.common.errors import Failure
from nextword.common.files import read_json, write_json
from nextword.common.provenance import commit
from nextword.common.records import digest

AT_ONCE = 2
"""Steps side by side: one for each core that a seed is to have."""
LOOK = 0.5
"""Seconds between looks at the steps that are on their way."""
WALKER = "STAGES_WALKER"
"""Names the process that begins the steps."""


@dataclass(frozen=True)
class Step:
    """A step of the way: what it does, which steps it builds on, and what it takes from the plan."""

    name: str
    work: Callable[[], Any]
    after: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    processes: int = 1


@dataclass
class Going:
    """A step on its way."""

    step: Step
    process: subprocess.Popen[bytes]
    began: float = field(default_factory=time.perf_counter)


class Way:
    """The steps of one seed, their times and results, in FOLDER/way.json.

    command: the script and its words for a step, by its name; it calls `done` with the step and the folder.
    """

    def __init__(
        self, folder: Path, facts: dict[str, Any], steps: Sequence[Step], command: Callable[[str], list[str]]
    ) -> None:
        self.folder, self.facts, self.path, self.command = folder, facts, folder / "way.json", command
        self.all = steps
        known = read_json(self.path) if self.path.exists() else {}
        self.steps: dict[str, dict[str, Any]] = known.get("steps", {})
        self.walked: float = known.get("walked", 0.0)
        """Seconds that this took: steps side by side count once, one done again as it was last."""

    def take(self) -> None:
        """Take every step that is not done, each as soon as those it builds on are."""
        going: list[Going] = []
        clock = time.perf_counter()
        try:
            while going or self._left():
                going += self._begun(going)
                time.sleep(LOOK)
                going = [one for one in going if not self._has_ended(one)]
                now = time.perf_counter()
                self.walked, clock = self.walked + now - clock, now
        finally:
            for one in going:
                one.process.send_signal(signal.SIGTERM)
            for one in going:
                self._has_ended(one, wait=True)
            self._keep()

    # One step

    def _begun(self, going: Sequence[Going]) -> list[Going]:
        """Steps begun now: in their order, as soon as those they build on are done."""
        names = {one.step.name for one in going}
        ready = (
            step for step in self._left() if step.name not in names and all(map(self._is_done, step.after))
        )
        return [self._go(step) for step in islice(ready, AT_ONCE - len(going))]

    def _go(self, step: Step) -> Going:
        key = self._key(step)
        known = self.steps.get(step.name)
        if known is None or known["key"] != key:
            self.walked -= self._part(known)
            shutil.rmtree(self.folder / step.name, ignore_errors=True)
            known = {"key": key, "wall": 0.0, "cpu": 0.0, "begun": 0, "ended": 0, "is_done": False}
        self.steps[step.name] = {**known, "begun": known["begun"] + 1}
        self._keep()
        self._result(step.name).unlink(missing_ok=True)
        words = [*launched_by(step.processes), *self.command(step.name)]
        more = {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", WALKER: str(os.getpid())}
        return Going(step, subprocess.Popen(words, env={**os.environ, **more}))

    def _part(self, known: dict[str, Any] | None) -> float:
        """Of the seconds that all of this took, the part that a step's time is of all steps' times."""
        every = sum(step["wall"] for step in self.steps.values())
        return self.walked * known["wall"] / every if known and every else 0.0

    def _has_ended(self, one: Going, wait: bool = False) -> bool:
        """Whether a step's process is over; its times and its result are kept then."""
        if one.process.returncode is not None:  # it failed, which was told
            return True
        pid, status, used = os.wait4(one.process.pid, 0 if wait else os.WNOHANG)
        if not pid:
            return False
        one.process.returncode = os.waitstatus_to_exitcode(status)
        known, result = self.steps[one.step.name], self._result(one.step.name)
        known["wall"] += time.perf_counter() - one.began
        known["cpu"] += used.ru_utime + used.ru_stime
        known["ended"] += 1
        if one.process.returncode == 0:
            known |= {
                "result": read_json(result)["result"],
                "is_done": True,
                "commit": commit(),
                "made": now(),
            }
            print(
                f"{one.step.name}: {known['wall']:.0f} s, {known['cpu']:.0f} s of processor time", flush=True
            )
        self._keep()
        if one.process.returncode and not wait:
            raise Failure(f"{one.step.name} ended with exit code {one.process.returncode}", where=self.folder)
        return True

    # What is known

    def _left(self) -> list[Step]:
        return [step for step in self.all if not self._is_done(step.name)]

    def _is_done(self, name: str) -> bool:
        """Whether a step is done, of this plan and of what it builds on as that is now."""
        step = next(step for step in self.all if step.name == name)
        known = self.steps.get(name, {"is_done": False})
        return bool(
            known["is_done"] and all(map(self._is_done, step.after)) and known["key"] == self._key(step)
        )

    def _key(self, step: Step) -> str:
        named = {name: self.facts[name] for name in ("corpus", "seed", *step.uses)}
        return digest(json.dumps([named, [self.steps[name]["made"] for name in step.after]]))[:16]

    def _result(self, name: str) -> Path:
        return self.folder / "results" / f"{name}.json"

    def _keep(self) -> None:
        write_json(self.path, {"walked": self.walked, "steps": self.steps})


def launched_by(processes: int) -> list[str]:
    """What begins a script, in one process or in several that learn together."""
    if processes == 1:
        return [sys.executable]
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "--"]
    return [sys.executable, *launcher]


def done(step: Step, folder: Path) -> None:
    """Do a step in this process, and leave its result where the way looks for it."""
    if walker := os.environ.get(WALKER):
        Thread(target=_not_alone, args=(int(walker),), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    write_json(folder / "results" / f"{step.name}.json", {"result": plain(step.work())})


def _not_alone(walker: int) -> None:
    """End this process when the one that walks is gone, killed: it would be begun a second time."""
    while Path(f"/proc/{walker}").exists():
        time.sleep(1)
    os._exit(1)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


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
