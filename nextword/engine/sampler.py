"""The sampler: from scores to one token, as a pure function of logits, settings and a coin.

run.c has the same sampler in C, and `tests/engine/sampler_cases.json` holds the two equal. So every step is
fixed here to the letter (all arithmetic in float64):

1. Penalty. Each distinct token among the last `REPEAT_WINDOW` of prompt and continuation has its logit
   divided by `repeat_penalty` when positive, multiplied when not (CTRL, Keskar et al. 2019).
2. Temperature 0 ends here: the highest logit, the lowest id among equals.
3. top-k keeps the k highest logits; among equals the lower id ranks first.
4. top-p keeps the shortest run, from the highest logit down, whose probability reaches p (nucleus, Holtzman
   et al. 2020), probabilities being the softmax of what step 3 kept, at temperature 1.
5. min-p drops what is less likely than min_p times the most likely (Nguyen et al. 2024), in logits:
   logit < max + ln(min_p).
6. Temperature. weight = exp((logit - max) / temperature).
7. Draw. Walk the kept tokens by rising id, adding weights: the first whose running sum exceeds
   coin x total is the answer (the last kept one if rounding lets none).

The order of the filters is llama.cpp's; that temperature comes last means that heating a model does not let
in tokens that top-p had ruled out. Left out: typical-p, mirostat, DRY; each is one more filter before step 6.

The coin of a request's n-th new token (n from 0) depends on nothing but its seed and n, so batches, drivers
and a resumed run draw the same. SplitMix64 (Steele, Lea & Flood 2014), 53 bits of it:
coin = mix(mix(seed) + (n + 1) x 0x9E3779B97F4A7C15) >> 11, over 2^53.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextword.common.errors import Failure
from nextword.common.language_model import Sampling

REPEAT_WINDOW = 64
"""How many of the latest tokens the repeat penalty looks at (llama.cpp's default)."""

BLOCK = 64
"""Weights that `draw_rows` adds before it looks where the coin falls."""

_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15

Floats = NDArray[np.float64]


def choose(logits: NDArray[np.floating], sampling: Sampling, seen: Sequence[int], coin: float) -> int:
    """The next token's id: logits (V,), `seen` the prompt and continuation so far, coin in [0, 1).

    Raises Failure when no logit is a finite number, which means that the model is broken.
    """
    scores = penalised(np.asarray(logits, dtype=np.float64), sampling.repeat_penalty, seen[-REPEAT_WINDOW:])
    if sampling.temperature == 0:
        return int(np.argmax(scores))
    if not (0 < sampling.top_k < len(scores) or sampling.top_p < 1.0 or sampling.min_p > 0.0):
        return draw(scores, sampling.temperature, coin)  # nothing to leave out
    kept = candidates(scores, sampling)
    return int(kept[draw(scores[kept], sampling.temperature, coin)])


def penalised(scores: Floats, penalty: float, seen: Sequence[int]) -> Floats:
    """Step 1, and the check that there is something to choose from."""
    best = scores.max()
    if not math.isfinite(best):
        raise Failure(f"the model's scores are not numbers (the highest is {best})", do="check its weights")
    if penalty == 1.0 or not len(seen):
        return scores
    ids = np.unique(np.asarray(seen))
    scores = scores.copy()
    scores[ids] = np.where(scores[ids] > 0, scores[ids] / penalty, scores[ids] * penalty)
    return scores


def candidates(scores: Floats, sampling: Sampling) -> NDArray[np.int64]:
    """Steps 3 to 5: the ids that survive the filters, rising; never empty."""
    kept = np.arange(len(scores))
    if 0 < sampling.top_k < len(scores):
        kept = _top_k(scores, sampling.top_k)
    if sampling.top_p < 1.0:
        kept = _top_p(scores, kept, sampling.top_p)
    if sampling.min_p > 0.0:
        kept = kept[scores[kept] >= scores[kept].max() + math.log(sampling.min_p)]
    return kept


def _top_k(scores: Floats, k: int) -> NDArray[np.int64]:
    threshold = np.partition(scores, -k)[-k]
    above = np.flatnonzero(scores > threshold)
    equal = np.flatnonzero(scores == threshold)[: k - len(above)]
    return np.sort(np.concatenate((above, equal)))


def _top_p(scores: Floats, kept: NDArray[np.int64], p: float) -> NDArray[np.int64]:
    ranked = kept[np.argsort(-scores[kept], kind="stable")]
    reached = np.cumsum(np.exp(scores[ranked] - scores[ranked[0]]))
    count = int(np.searchsorted(reached, p * reached[-1], side="left")) + 1
    return np.sort(ranked[:count])


def draw(scores: Floats, temperature: float, coin: float) -> int:
    """Steps 6 and 7: the index into `scores` on which the coin falls."""
    above = scores - scores.max()
    running = np.cumsum(np.exp(above if temperature == 1.0 else above / temperature))
    index = int(np.searchsorted(running, coin * running[-1], side="right"))
    return min(index, len(scores) - 1)


def is_plain(sampling: Sampling) -> bool:
    """Whether only step 7 is left: every token may be drawn, as likely as the model says."""
    return (
        sampling.temperature == 1.0
        and (sampling.top_k, sampling.top_p, sampling.min_p) == (0, 1.0, 0.0)
        and sampling.repeat_penalty == 1.0
    )


def draw_rows(logits: NDArray[np.floating], coins: Sequence[float]) -> list[tuple[int, float]]:
    """What `choose` and `logprob` say of each row of finite (B, V) logits where `is_plain`, at once.

    Weights are added in blocks, and only the block on which the coin falls is walked: the running sums are
    those of step 7 up to the last bit of a float64.
    """
    B, V = logits.shape
    best = logits.max(axis=1)
    weights = np.zeros((B, -(-V // BLOCK) * BLOCK))
    of_tokens = weights[:, :V]
    np.subtract(logits, best[:, None], out=of_tokens, dtype=np.float64)
    np.exp(of_tokens, out=of_tokens)
    blocks = weights.reshape(B, -1, BLOCK)
    sums = blocks.sum(axis=2).cumsum(axis=1)
    found = []
    for row, coin in enumerate(coins):
        total = sums[row, -1]
        wanted = coin * total
        block = min(int(np.searchsorted(sums[row], wanted, side="right")), sums.shape[1] - 1)
        before = sums[row, block - 1] if block else 0.0
        walked = before + blocks[row, block].cumsum()
        index = min(block * BLOCK + int(np.searchsorted(walked, wanted, side="right")), V - 1)
        found.append((index, float(logits[row, index]) - float(best[row]) - math.log(total)))
    return found


def coin(seed: int, n: int) -> float:
    """A number in [0, 1) for a request's n-th new token."""
    return (_mix((_mix(seed & _WORD) + (n + 1) * _GOLDEN) & _WORD) >> 11) / (1 << 53)


def _mix(z: int) -> int:
    """SplitMix64's finaliser: 64 bits in, 64 well stirred bits out."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
    return z ^ (z >> 31)


def logprob(logits: NDArray[np.floating], id: int) -> float:
    """`log_softmax(logits)[id]` of (V,) logits, without the rest."""
    scores = np.asarray(logits, dtype=np.float64)
    above = scores - scores.max()
    return float(above[id] - np.log(np.exp(above).sum()))


def log_softmax(logits: NDArray[np.floating]) -> Floats:
    """(..., V) natural-log probabilities under the model itself: no penalty, no filter, temperature 1."""
    scores = np.asarray(logits, dtype=np.float64)
    scores = scores - scores.max(axis=-1, keepdims=True)
    shifted: Floats = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    return shifted
