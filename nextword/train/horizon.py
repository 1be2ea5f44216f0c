"""How far a run goes: decided once, kept in plan.json, so that an interrupted run goes the same way.

    {"depth": 4, "steps": 366, "warmup": 20, "decay": 146, "planned": 366, "seconds": 300.0, ...}

`planned` is the number of steps foreseen at the start: what is due at 1, 10 and 100 percent hangs on it. In a
run with a time budget the clock may move the end (see `loop.py`); then `seconds` becomes null: it is settled.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nextword.common.errors import Corrupt
from nextword.common.files import read_json, write_json
from nextword.train.samples import MARKS
from nextword.train.schedule import Schedule

LOOKS = 10
"""Evaluations along the way, evenly spread; besides the one at the first percent."""


@dataclass(frozen=True)
class Horizon:
    """Depth, schedule and time of one run."""

    depth: int
    steps: int
    warmup: int
    decay: int
    planned: int
    seconds: float | None
    tokens_per_second: float
    is_compiled: bool

    @staticmethod
    def of(
        depth: int,
        schedule: Schedule,
        seconds: float | None,
        tokens_per_second: float,
        is_compiled: bool,
    ) -> Horizon:
        """The horizon of a new run."""
        steps = schedule.steps
        return Horizon(
            depth,
            steps,
            schedule.warmup,
            schedule.decay,
            steps,
            seconds,
            tokens_per_second,
            is_compiled,
        )

    @staticmethod
    def read(path: Path) -> Horizon | None:
        """What an earlier call decided, or None."""
        if not path.exists():
            return None
        try:
            return Horizon(**read_json(path))
        except TypeError as error:
            raise Corrupt("not a plan", where=path, do="begin a new run in another folder") from error

    def write(self, path: Path) -> None:
        """Keep the decision."""
        write_json(path, asdict(self))

    @property
    def schedule(self) -> Schedule:
        """The learning rate's course."""
        return Schedule(self.steps, self.warmup, self.decay)

    def settled(self, schedule: Schedule) -> Horizon:
        """With the end that the clock has decided."""
        return replace(self, **asdict(schedule), seconds=None)

    def marks(self) -> dict[int, int]:
        """Step -> percent, where the prompt is dreamed on before the end."""
        return {max(1, self.planned * percent // 100): percent for percent in MARKS if percent < 100}

    def due(self) -> frozenset[int]:
        """The steps after which the run is looked at. The last one is, in any case."""
        even = {self.planned * tenth // LOOKS for tenth in range(1, LOOKS)}
        return frozenset(step for step in (*even, *self.marks()) if 0 < step < self.steps)
