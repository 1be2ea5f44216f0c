"""Writes sampler_cases.json: logits, settings, coin -> token, which both samplers (Python, C) must give.

The answers come from `plain_choice` below, which follows the steps of nextword/engine/sampler.py's docstring
with sorted lists and nothing else. Cases whose answer would change if a sum were off by 1e-6 are left out, so
that a libm of another opinion on the last bit of exp() is no failure.

    python tests/engine/make_sampler_cases.py
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

CASES = Path(__file__).with_name("sampler_cases.json")
NEUTRAL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0}
WINDOW = 64
MARGIN = 1e-6


class TooClose(Exception):
    """Rounding could decide this case."""


def plain_choice(logits, sampling, seen, coin, margin=0.0):
    """The sampler again, the long way round."""
    scores = list(logits)
    for token in set(seen[-WINDOW:]):
        penalty = sampling["repeat_penalty"]
        scores[token] = scores[token] / penalty if scores[token] > 0 else scores[token] * penalty
    ranked = sorted(range(len(scores)), key=lambda token: (-scores[token], token))
    if sampling["temperature"] == 0:
        return ranked[0]
    if 0 < sampling["top_k"] < len(ranked):
        ranked = ranked[: sampling["top_k"]]
    if sampling["top_p"] < 1:
        ranked = _nucleus(ranked, scores, sampling["top_p"], margin)
    if sampling["min_p"] > 0:
        floor = scores[ranked[0]] + math.log(sampling["min_p"])
        _apart([abs(scores[token] - floor) for token in ranked], margin)
        ranked = [token for token in ranked if scores[token] >= floor]
    best = scores[ranked[0]]
    kept = sorted(ranked)
    weights = [math.exp((scores[token] - best) / sampling["temperature"]) for token in kept]
    total, reached = sum(weights), 0.0
    for token, weight in zip(kept, weights, strict=True):
        reached += weight
        if coin > 0:
            _apart([abs(reached - coin * total) / total], margin)
        if reached > coin * total:
            return token
    return kept[-1]


def _nucleus(ranked, scores, p, margin):
    weights = [math.exp(scores[token] - scores[ranked[0]]) for token in ranked]
    total, reached = sum(weights), 0.0
    for count, weight in enumerate(weights, 1):
        reached += weight
        _apart([abs(reached - p * total) / total], margin)
        if reached >= p * total:
            return ranked[:count]
    return ranked


def _apart(distances, margin):
    if margin and min(distances) < margin:
        raise TooClose


def plain_coin(seed, n):
    """SplitMix64 as its authors print it, with the seed stirred first."""

    def mix(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    return (mix((mix(seed % 2**64) + (n + 1) * 0x9E3779B97F4A7C15) % 2**64) >> 11) / 2**53


def by_hand():
    """Cases a person can check: what each rule says at its edges."""
    yield "greedy takes the lowest id among equals", [1.0, 3.0, 3.0, 2.0], {"temperature": 0.0}, [], 0.9, 1
    yield (
        "greedy after a penalty",
        [1.0, 3.0, 2.9],
        {"temperature": 0.0, "repeat_penalty": 1.1},
        [1, 1, 1],
        0.0,
        2,
    )
    yield (
        "a penalty pushes a negative logit down",
        [-1.0, -1.05],
        {"temperature": 0.0, "repeat_penalty": 1.5},
        [0],
        0.0,
        1,
    )
    yield (
        "a token further back than the window is not penalised",
        [3.0, 2.9],
        {"temperature": 0.0, "repeat_penalty": 2.0},
        [0] + [1] * 64,
        0.0,
        0,
    )
    yield "coin 0 falls on the first id", [0.0, 5.0], {}, [], 0.0, 0
    yield "a coin near 1 falls on the last id", [5.0, 5.0, 5.0], {}, [], 0.999, 2
    yield "equal logits share the coin by id", [2.0, 2.0, 2.0, 2.0], {}, [], 0.6, 2
    yield "top-k 1 is greedy", [0.5, 0.25, 4.0], {"top_k": 1, "temperature": 9.0}, [], 0.1, 2
    yield "top-k keeps the lower id among equals", [1.0, 1.0, 1.0], {"top_k": 2}, [], 0.99, 1
    yield "top-k larger than the vocabulary keeps all", [1.0, 1.0], {"top_k": 9}, [], 0.99, 1
    yield "top-p keeps the token that reaches p", [0.0, 0.0, -9.0], {"top_p": 0.6}, [], 0.99, 1
    yield "a tiny top-p keeps one", [0.0, 1.0, 0.5], {"top_p": 1e-9}, [], 0.99, 1
    yield "min-p 1 keeps only the best", [0.0, 1.0, 0.5], {"min_p": 1.0}, [], 0.99, 1
    yield "min-p is relative to the best", [0.0, -1.0, -5.0], {"min_p": 0.1}, [], 0.99, 1
    yield (
        "temperature comes after top-p",
        [0.0, -3.0, -3.0],
        {"top_p": 0.9, "temperature": 100.0},
        [],
        0.99,
        0,
    )
    yield (
        "top-p counts what top-k left as the whole",
        [0.0, 0.0, 0.0, 0.0],
        {"top_k": 2, "top_p": 0.49},
        [],
        0.99,
        0,
    )
    yield "a ruled-out token is never drawn", [float("-inf"), 0.0], {}, [], 0.0, 1


def drawn(dice):
    """A seeded case of random shape, or TooClose."""
    V = dice.choice([2, 5, 16, 50, 200])
    grain = dice.choice([1, 4, 1024])  # a coarse grain makes equal logits common
    logits = [round(dice.gauss(0, 3) * grain) / grain for _ in range(V)]
    options = {
        "temperature": dice.choice([0.0, 0.25, 0.7, 1.0, 1.0, 2.5]),
        "top_k": dice.choice([0, 0, 1, 3, 40]),
        "top_p": dice.choice([1.0, 1.0, 0.95, 0.5, 0.1]),
        "min_p": dice.choice([0.0, 0.0, 0.05, 0.3]),
        "repeat_penalty": dice.choice([1.0, 1.0, 1.1, 1.5]),
    }
    seen = [dice.randrange(V) for _ in range(dice.choice([0, 1, 10, 80]))]
    seed, n = dice.randrange(2**64), dice.randrange(1000)
    coin = plain_coin(seed, n)
    return logits, options, seen, coin, plain_choice(logits, options, seen, coin, MARGIN)


def cases():
    for name, logits, options, seen, coin, token in by_hand():
        assert plain_choice(logits, NEUTRAL | options, seen, coin) == token, name
        yield _case(name, logits, NEUTRAL | options, seen, coin, token)
    dice, made = random.Random(20261123), 0
    while made < 150:
        try:
            case = drawn(dice)
        except TooClose:
            continue
        made += 1
        yield _case(f"random {made}", *case)


def _case(name, logits, options, seen, coin, token):
    plain = [None if logit == float("-inf") else logit for logit in logits]
    return {"name": name, "logits": plain, "seen": seen, "sampling": options, "coin": coin, "token": token}


def main():
    coins = [
        {"seed": seed, "n": n, "coin": plain_coin(seed, n)}
        for seed in (0, 1, 42, 2**32, 2**64 - 1)
        for n in (0, 1, 2, 1000, 2**31)
    ]
    lines = ",\n".join(json.dumps(case) for case in cases())
    about = (
        "Made by make_sampler_cases.py; the rules are in nextword/engine/sampler.py. A null logit is minus "
        "infinity; logits are exact in float32, coins in float64."
    )
    CASES.write_text(
        f'{{"about": {json.dumps(about)},\n"repeat_window": {WINDOW},\n"coins": {json.dumps(coins)},\n'
        f'"draws": [\n{lines}\n]}}\n'
    )


if __name__ == "__main__":
    main()
