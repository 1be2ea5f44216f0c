from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.model.config import ModelConfig
from nextword.train.plan import plan, worth


def _speed(flops_per_second: float):
    return lambda depth: flops_per_second / ModelConfig.of_depth(depth, 4096).flops_per_token(512)


def _planned(seconds: float, flops: float = 2e11, corpus: int = 10**9, depth: int | None = None):
    return plan(seconds, _speed(flops), step_tokens=8192, vocab_size=4096, corpus_tokens=corpus, depth=depth)


def test_steps_fill_the_time_at_the_measured_speed():
    found = _planned(600)
    assert found.steps == int(600 * found.tokens_per_second / 8192)


@given(st.floats(10, 1e5), st.floats(1.1, 100))
def test_more_time_never_gives_a_shallower_model(seconds, longer):
    assert _planned(seconds * longer).depth >= _planned(seconds).depth


def test_a_depth_that_was_asked_for_is_kept():
    assert _planned(600, depth=7).depth == 7


def test_a_small_corpus_gives_a_shallower_model_than_a_large_one():
    assert _planned(36_000, corpus=1_000_000).depth < _planned(36_000).depth


def test_speed_is_measured_only_where_it_may_matter():
    asked = []

    def speed(depth: int) -> float:
        asked.append(depth)
        return _speed(2e11)(depth)

    found = plan(300, speed, step_tokens=8192, vocab_size=4096, corpus_tokens=10**9)
    assert asked == list(range(2, found.depth + 1)) or asked == list(range(2, found.depth + 2))


def test_there_is_always_a_step():
    assert _planned(0.001).steps == 1


def test_a_repeated_corpus_is_worth_less_than_fresh_text():
    assert worth(500, 1000) == 500
    assert 3700 < worth(4000, 1000) < 4000  # four epochs: almost as good as fresh
    assert worth(10**9, 1000) == pytest.approx(1000 * (1 + 15.4))  # and there is an end to it
    assert math.isclose(worth(1000, 1000), 1000)
