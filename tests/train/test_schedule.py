from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nextword.train.schedule import Schedule

SCHEDULES = st.builds(Schedule.of, st.integers(1, 500), st.integers(0, 50), st.floats(0, 1, allow_nan=False))


@given(SCHEDULES)
def test_the_factor_rises_stays_and_falls(schedule):
    factors = [schedule.factor(step) for step in range(schedule.steps)]
    assert all(0 < factor <= 1 for factor in factors)
    rising = factors[: schedule.warmup]
    falling = factors[schedule.decay_start :]
    assert rising == sorted(rising) and falling == sorted(falling, reverse=True)
    assert all(factor == 1 for factor in factors[schedule.warmup : schedule.decay_start])


@given(SCHEDULES)
def test_warm_up_and_decay_do_not_overlap(schedule):
    assert schedule.warmup <= schedule.decay_start <= schedule.steps


def test_until_the_decay_a_longer_run_is_the_same_run():
    short, long = Schedule.of(100, 10, 0.5), Schedule.of(300, 10, 0.5)
    assert [short.factor(s) for s in range(short.decay_start)] == [
        long.factor(s) for s in range(short.decay_start)
    ]


def test_the_decay_ends_one_even_step_above_zero():
    schedule = Schedule(steps=10, warmup=0, decay=4)
    assert [round(schedule.factor(step), 3) for step in range(6, 10)] == [0.8, 0.6, 0.4, 0.2]
