"""The sampler: the shared cases, the plain version, and what each setting promises."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as some

from nextword.common.errors import BadInput, Failure
from nextword.common.language_model import Sampling
from nextword.engine.sampler import candidates, choose, coin, draw_rows, log_softmax, logprob

HERE = Path(__file__).parent
CASES = json.loads((HERE / "sampler_cases.json").read_text())

_spec = importlib.util.spec_from_file_location("make_sampler_cases", HERE / "make_sampler_cases.py")
plain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(plain)

logits_of_any_kind = some.lists(some.floats(-30, 30, width=32), min_size=1, max_size=40)
coins = some.floats(0, 1, exclude_max=True)
settings = some.fixed_dictionaries(
    {
        "temperature": some.sampled_from([0.0, 0.2, 1.0, 3.0]),
        "top_k": some.integers(0, 50),
        "top_p": some.floats(0.01, 1.0),
        "min_p": some.sampled_from([0.0, 0.01, 0.2, 1.0]),
        "repeat_penalty": some.sampled_from([1.0, 1.3]),
    }
)


@pytest.mark.parametrize("case", CASES["draws"], ids=lambda case: case["name"])
def test_every_case_shared_with_run_c_gives_its_token(case):
    logits = np.array([-np.inf if logit is None else logit for logit in case["logits"]], dtype=np.float32)
    assert choose(logits, Sampling(**case["sampling"]), case["seen"], case["coin"]) == case["token"]


def test_coins_shared_with_run_c_come_out():
    assert [coin(case["seed"], case["n"]) for case in CASES["coins"]] == [c["coin"] for c in CASES["coins"]]


@given(logits_of_any_kind, settings, coins)
@example([0.0, 0.0], {"temperature": 1.0, "top_k": 1, "top_p": 0.5, "min_p": 1.0, "repeat_penalty": 1.3}, 0.0)
def test_the_sampler_agrees_with_its_plain_version(logits, options, coin):
    seen = [n % len(logits) for n in range(3)]
    try:
        expected = plain.plain_choice(logits, options, seen, coin, margin=1e-9)
    except plain.TooClose:
        assume(False)
    assert choose(np.array(logits, dtype=np.float32), Sampling(**options), seen, coin) == expected


@given(logits_of_any_kind, settings)
def test_the_most_likely_token_always_survives_the_filters(logits, options):
    scores = np.array(logits)
    kept = candidates(scores, Sampling(**options))
    assert scores[kept].max() == scores.max()
    assert list(kept) == sorted(set(kept))


@given(logits_of_any_kind, some.integers(1, 50))
def test_top_k_keeps_k_tokens_even_among_equals(logits, k):
    assert len(candidates(np.array(logits), Sampling(top_k=k))) == min(k, len(logits))


@given(some.integers(0, 2**64 - 1), some.integers(0, 2**40))
def test_a_coin_is_at_least_0_and_below_1(seed, n):
    assert 0 <= coin(seed, n) < 1


def test_draws_follow_the_probabilities():
    logits, trials = np.log([0.5, 0.3, 0.2]), 4000
    drawn = [choose(logits, Sampling(), [], coin(seed=7, n=n)) for n in range(trials)]
    assert np.bincount(drawn) / trials == pytest.approx([0.5, 0.3, 0.2], abs=0.03)


def test_neighbouring_seeds_draw_unlike_coins():
    first = [coin(seed, 0) for seed in range(2000)]
    assert np.mean(first) == pytest.approx(0.5, abs=0.02)
    assert np.corrcoef(first[:-1], first[1:])[0, 1] == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_scores_that_are_not_numbers_are_a_failure_and_not_a_token(broken):
    with pytest.raises(Failure, match="not numbers"):
        choose(np.array([0.0, broken, 1.0]), Sampling(), [], 0.5)


def test_the_logits_are_left_as_they_were():
    logits = np.array([1.0, 2.0, 3.0])
    choose(logits, Sampling(repeat_penalty=2.0), [0, 1, 2], 0.5)
    assert list(logits) == [1.0, 2.0, 3.0]


def test_log_probabilities_sum_to_one():
    assert np.exp(log_softmax(np.array([[900.0, 899.0], [0.0, 5.0]]))).sum(axis=-1) == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1.0),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_k", -1),
        ("top_p", 0.0),
        *[("top_p", 1.5), ("top_p", math.nan), ("min_p", -0.1), ("min_p", 2.0), ("repeat_penalty", 0.0)],
        *[("max_new_tokens", -1), ("top_logprobs", -1)],
    ],
)
def test_a_setting_outside_its_range_is_refused_by_name(name, value):
    with pytest.raises(BadInput, match=rf"^{name} is {value}, expected"):
        Sampling(**{name: value})


@given(some.lists(some.tuples(some.integers(0, 99), coins), min_size=1, max_size=5))
def test_rows_drawn_together_are_drawn_as_each_alone(given):
    rows = np.random.default_rng(given[0][0]).normal(size=(len(given), 150)).astype(np.float32)
    together = draw_rows(rows, [one for _, one in given])
    for row, (_, one), (id, likely) in zip(rows, given, together, strict=True):
        assert id == choose(row, Sampling(), [], one)
        assert likely == pytest.approx(logprob(row, id), abs=1e-12)
