"""Running datatrove pipelines here: in this process, or in a few of this machine.

datatrove's own LocalPipelineExecutor starts a manager process, re-installs its log sinks on the terminal
and prints a traceback for every error; a pipeline of a few seconds wants none of it. What a step sees is
the same, `step(data, rank, world_size)`, so the stages run unchanged on datatrove's executors (a test does
it with the local one). On a cluster, with `work` on a file system that all machines see:

    before = None
    for stage in stages(settings, crawl, work, tasks=512, slices=4):
        before = SlurmPipelineExecutor(stage.steps, tasks=stage.tasks, depends=before, ...)
    before.run()
    gather(work, out, {}, hold_out=True)        # clean_summary.py: joins what the tasks wrote
"""

from __future__ import annotations

import contextlib
import copy
import io
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from datatrove.pipeline.base import PipelineStep
from datatrove.utils.stats import PipelineStats

Totals = dict[str, dict[str, float]]
"""For each step's name, its counters, summed over tasks."""


@dataclass(frozen=True)
class Stage:
    """Steps that run one into the other, as `tasks` independent tasks; a stage needs the one before it."""

    name: str
    steps: list[PipelineStep]
    tasks: int


@contextlib.contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    """Worker processes for run_stage; None, which means this very process, when one is enough."""
    if workers <= 1:
        yield None
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_quiet_worker)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def run_stage(
    stage: Stage, pool: ProcessPoolExecutor | None = None, tick: Callable[[float], None] | None = None
) -> Totals:
    """Run all tasks of a stage; `tick` hears of each document that comes out of the first step.

    In a pool it hears of a task's documents when the task ends. Errors come through as they are.
    """
    totals: Totals = {}
    if pool is None or stage.tasks == 1:
        for rank in range(stage.tasks):
            add(totals, _run_task(stage, rank, tick))
        return totals
    for counted, seen in pool.map(_run_counted, [stage] * stage.tasks, range(stage.tasks)):
        add(totals, counted)
        if tick:
            tick(seen)
    return totals


def _run_task(stage: Stage, rank: int, tick: Callable[[float], None] | None) -> Totals:
    from loguru import logger

    steps = copy.deepcopy(stage.steps)
    data: Any = None
    logger.disable("datatrove")
    with contextlib.redirect_stderr(io.StringIO()):  # tqdm bars of blocks that have no switch for them
        for number, step in enumerate(steps):
            data = step(data, rank, stage.tasks)
            if number == 0 and tick and data is not None:
                data = _ticking(data, tick)
        if data is not None:
            deque(data, maxlen=0)
    return {
        name: {label: float(metric.total) for label, metric in stats.stats.items()}
        | {"seconds": float(stats.time_stats.total)}
        for name, stats in zip((step.name for step in steps), PipelineStats(steps).stats, strict=True)
    }


def _run_counted(stage: Stage, rank: int) -> tuple[Totals, float]:
    seen: list[float] = []
    totals = _run_task(stage, rank, seen.append)
    return totals, sum(seen)


def _quiet_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle


def _ticking(data: Iterator[Any], tick: Callable[[float], None]) -> Iterator[Any]:
    for document in data:
        tick(1)
        yield document


def add(totals: Totals, more: Totals) -> None:
    """Sum the counters of `more` into `totals`."""
    for name, counters in more.items():
        mine = totals.setdefault(name, {})
        for label, value in counters.items():
            mine[label] = mine.get(label, 0.0) + value
