"""The loop by a clock of our own, so that a slow machine is a matter of arithmetic."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from rich.console import Console

from nextword.common.progress import Progress
from nextword.train.checkpoints import Checkpoints
from nextword.train.distributed import Processes
from nextword.train.loop import Cost, Loop
from nextword.train.metrics import Metrics
from nextword.train.optimiser import Optimiser, OptimiserSettings
from nextword.train.schedule import Schedule
from nextword.train.step import Batch, StepResult

HERE = Processes(0, 1, torch.device("cpu"))


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class Rows:
    """Counts the batches it has given."""

    def __init__(self) -> None:
        self.given = 0

    def next(self) -> Batch:
        self.given += 1
        return Batch(torch.zeros(1, 1), torch.zeros(1, 1))

    def state_dict(self) -> dict[str, int]:
        return {"given": self.given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.given = state["given"]


class Trainer:
    """Takes as long for a step as the machine is slow."""

    def __init__(self, clock: Clock, seconds: Callable[[float], float]) -> None:
        self.clock, self.seconds = clock, seconds

    def step(self, batch: Batch) -> StepResult:
        self.clock.now += self.seconds(self.clock.now)
        return StepResult(torch.tensor(1.0), torch.tensor(1.0))


def make(tmp_path, schedule: Schedule, seconds: Callable[[float], float], **settings) -> tuple[Loop, Clock]:
    model = torch.nn.Linear(2, 2)
    clock = Clock()
    loop = Loop(
        model,
        Trainer(clock, seconds),
        Optimiser(dict(model.named_parameters()), OptimiserSettings(), "fp32"),
        Rows(),
        schedule,
        cost=Cost(tokens=10, flops=1.0, peak=1.0),
        metrics=Metrics(tmp_path / "metrics.jsonl"),
        checkpoints=Checkpoints(tmp_path / "checkpoints", HERE),
        processes=HERE,
        clock=clock,
        **settings,
    )
    return loop, clock


def run(loop: Loop) -> None:
    with Progress("test", console=Console(quiet=True)) as progress:
        loop.run(progress)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("as planned", lambda now: 1.0),
        ("three times slower from the start", lambda now: 3.0),
        ("three times slower after a while", lambda now: 1.0 if now < 20 else 3.0),
        ("twice as fast", lambda now: 0.5),
        ("twice as fast after a while", lambda now: 1.0 if now < 40 else 0.5),
    ],
)
def test_a_time_budget_is_kept_whatever_the_machine_does(tmp_path, name, seconds):
    told = []
    loop, clock = make(tmp_path, Schedule.of(100, 5, 0.5), seconds, budget=100.0, settled=told.append)
    run(loop)
    assert 85 < clock.now <= 103, name
    assert told == [loop.schedule] and loop.step == loop.schedule.steps
    assert 0.3 < loop.schedule.decay / loop.schedule.steps < 0.65, name


def test_a_slow_patch_before_the_decay_does_not_call_it(tmp_path):
    def seconds(now: float) -> float:
        return 4.0 if 380 < now < 420 else 1.0

    loop, clock = make(tmp_path, Schedule.of(1000, 5, 0.5), seconds, budget=1000.0)
    run(loop)
    assert 985 < clock.now <= 1003


def test_without_a_budget_the_clock_changes_nothing(tmp_path):
    loop, _ = make(tmp_path, Schedule.of(20, 2, 0.5), lambda now: 1000.0)
    run(loop)
    assert loop.step == 20 and loop.schedule == Schedule.of(20, 2, 0.5)


def test_time_before_an_interruption_counts(tmp_path):
    first, _ = make(tmp_path, Schedule.of(100, 5, 0.5), lambda now: 1.0, budget=100.0)
    first.trainer.seconds = lambda now: 1.0 if now < 40 else 1 / 0
    with pytest.raises(ZeroDivisionError):
        run(first)
    second, clock = make(tmp_path, Schedule.of(100, 5, 0.5), lambda now: 1.0, budget=100.0)
    second.resume(second.checkpoints.newest())
    assert second.step == second.batches.given == second.seconds == 31
    run(second)
    assert clock.now == 100 - 31


def test_the_checkpoint_is_on_the_disk_before_the_look_that_may_crash(tmp_path):
    seen = []

    def crash(step: int, steps: int) -> None:
        seen.extend(loop.checkpoints.steps())
        raise RuntimeError("the evaluation crashed")

    loop, _ = make(tmp_path, Schedule.of(10, 0, 0.5), lambda now: 1.0, due=frozenset({4}), look=crash)
    with pytest.raises(RuntimeError):
        run(loop)
    assert seen == [4]


def test_a_look_that_was_lost_to_a_crash_is_made_up_for(tmp_path):
    looks = []
    loop, _ = make(tmp_path, Schedule.of(10, 0, 0.5), lambda now: 1.0, due=frozenset({4}))
    loop.look = lambda step, steps: 1 / 0
    with pytest.raises(ZeroDivisionError):
        run(loop)
    again, _ = make(tmp_path, Schedule.of(10, 0, 0.5), lambda now: 1.0, due=frozenset({4}))
    again.look = lambda step, steps: looks.append(step)
    again.resume(4)
    run(again)
    assert looks == [4, 10]


def test_metrics_say_what_a_person_wants_to_know(tmp_path):
    loop, _ = make(tmp_path, Schedule.of(3, 0, 0.5), lambda now: 2.0)
    run(loop)
    line = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[1])
    assert line["step"] == 2 and line["tokens"] == 20 and line["tokens_per_second"] == 5
    assert line["mfu"] == 0.5 and line["seconds"] == 4.0


def test_checkpoints_by_the_clock_are_seldom_enough_to_cost_little(tmp_path):
    loop, _ = make(tmp_path, Schedule.of(200, 0, 0.5), lambda now: 1.0)
    kept = []
    save = loop.checkpoints.save
    loop.checkpoints.save = lambda step, *rest, **named: (kept.append(step), save(step, *rest, **named))[1]
    run(loop)
    assert kept == [31, 62, 93, 100, 131, 162, 193, 200]


def test_a_step_may_say_its_own_tokens_and_facts(tmp_path):
    loop, _ = make(tmp_path, Schedule.of(2, 0, 0.5), lambda now: 2.0)
    plain = loop.trainer.step
    loop.trainer.step = lambda batch: replace(plain(batch), tokens=30, facts={"margin": 0.5})
    run(loop)
    line = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[1])
    assert line["tokens"] == 60 and line["tokens_per_second"] == 15 and line["margin"] == 0.5
    assert line["mfu"] is None  # three times the work of a step would be half as much again as the peak


def test_updates_are_counted_where_a_step_takes_several(tmp_path):
    loop, _ = make(tmp_path, Schedule.of(4, 0, 0.5), lambda now: 1.0)
    plain = loop.trainer.step

    def twice(batch):
        loop.optimiser.steps += 2
        return plain(batch)

    loop.trainer.step = twice
    run(loop)
    again, _ = make(tmp_path, Schedule.of(4, 0, 0.5), lambda now: 1.0)
    again.resume(4)
    assert again.optimiser.steps == 8 and again.tokens == 40


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_its_metrics_anew(tmp_path):
    def stopped(now: float) -> float:
        if now >= 3:
            raise KeyboardInterrupt
        return 1.0

    loop, _ = make(tmp_path, Schedule.of(6, 1, 0.2), stopped)
    loop.checkpoints.save = None  # it would fail if it came so far
    with pytest.raises(KeyboardInterrupt):
        run(loop)
    assert len(list(loop.metrics.lines("step"))) == 3
    again, _ = make(tmp_path, Schedule.of(6, 1, 0.2), lambda now: 1.0)
    run(again)
    assert [line["step"] for line in again.metrics.lines("step")] == [1, 2, 3, 4, 5, 6]
