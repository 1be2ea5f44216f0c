"""The one dial: from minutes to a model's depth and its number of steps, by measured throughput.

1. Time. A candidate's speed is measured with the very step that will train it, so what the machine is, which
   precision, whether it compiles, and how busy it is are all in one number.
2. Depth. With compute C ~ 6 N D, the loss E + A / N^alpha + B / D^beta is least where model and data
   grow together (Hoffmann et al. 2022, "Chinchilla": about 20 tokens a parameter). So the deepest model is
   taken that still sees `TOKENS_PER_PARAMETER` tokens for each of its matmul parameters. In runs of minutes
   that cannot be 20: at depth 4 two cores would need hours. 0.7, which gives about depth 3 for 5 minutes of
   two quiet cores and 4 for 20, is a judgement, not a measurement: comparing depths at equal time is to do.
3. Repetition. A small corpus is read several times. Up to 4 epochs count almost as fresh text and by 16
   they are worth little (Muennighoff et al. 2023), so tokens beyond are discounted before the depth is
   chosen; steps are never taken away, since a later epoch costs nothing but the time that was given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from nextword.model.config import ModelConfig

TOKENS_PER_PARAMETER = 0.7
"""Tokens of training a matmul parameter should see."""

HALF_LIFE = 15.4
"""R*_D of Muennighoff et al. 2023, equation 5: repetitions after which text is worth 1/e as much."""

SHALLOWEST, DEEPEST = 2, 32


@dataclass(frozen=True)
class Plan:
    """What a run will do: fixed at its start, so that a resumed run does the same."""

    depth: int
    steps: int
    tokens_per_second: float


def plan(
    seconds: float,
    tokens_per_second: Callable[[int], float],
    *,
    step_tokens: int,
    vocab_size: int,
    corpus_tokens: int,
    depth: int | None = None,
) -> Plan:
    """Depth and steps for a time. `tokens_per_second(depth)` measures, and is asked as seldom as possible."""
    if depth is not None:
        return _at(depth, seconds, tokens_per_second(depth), step_tokens)
    chosen = SHALLOWEST
    found = _at(chosen, seconds, tokens_per_second(chosen), step_tokens)
    while chosen < DEEPEST:
        deeper = chosen + 1
        flops = _flops(chosen, vocab_size) / _flops(deeper, vocab_size)
        if not _is_fed(deeper, found.steps * step_tokens * flops, corpus_tokens, vocab_size):
            break  # not even at the speed its arithmetic alone would give
        candidate = _at(deeper, seconds, tokens_per_second(deeper), step_tokens)
        if not _is_fed(deeper, candidate.steps * step_tokens, corpus_tokens, vocab_size):
            break
        chosen, found = deeper, candidate
    return found


def worth(tokens: float, corpus_tokens: int) -> float:
    """How many fresh tokens so many tokens of a corpus are worth when it must be repeated (equation 5)."""
    repetitions = max(0.0, tokens / corpus_tokens - 1)
    fresh = min(tokens, corpus_tokens)
    return fresh + corpus_tokens * HALF_LIFE * (1 - math.exp(-repetitions / HALF_LIFE))


def _is_fed(depth: int, tokens: float, corpus_tokens: int, vocab_size: int) -> bool:
    parameters = ModelConfig.of_depth(depth, vocab_size).num_matmul_parameters
    return worth(tokens, corpus_tokens) >= TOKENS_PER_PARAMETER * parameters


def _flops(depth: int, vocab_size: int) -> float:
    return ModelConfig.of_depth(depth, vocab_size).flops_per_token(512)


def _at(depth: int, seconds: float, tokens_per_second: float, step_tokens: int) -> Plan:
    return Plan(depth, max(1, int(seconds * tokens_per_second / step_tokens)), tokens_per_second)
