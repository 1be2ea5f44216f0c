"""An interpolated 5-gram model: what counting alone can do, and so what a network must clearly beat.

Modified Kneser-Ney smoothing, interpolated (Chen & Goodman 1998, section 3; counts of grams that begin a
document as in Heafield et al. 2013). For a history h, its one-shorter history h', and a token w:

    p_k(w | h) = max(c(h w) - D(c(h w)), 0) / c(h .)  +  gamma(h) p_{k-1}(w | h')
    gamma(h)   = (D_1 N_1(h .) + D_2 N_2(h .) + D_3+ N_3+(h .)) / c(h .)
    D_i        = i - (i + 1) Y n_{i+1} / n_i,   Y = n_1 / (n_1 + 2 n_2)

c is the count in the training text for the longest grams, and for shorter ones the number of different
tokens seen before them: "York" is frequent, but only after "New", so alone it is unlikely. N_i(h .) counts
the tokens seen i times after h, n_i the grams seen i times. A history never seen leaves the word to h'. The
recursion ends in the uniform distribution over the vocabulary.

It works on our tokens, not on bytes: five tokens are about sixteen bytes of history, so this is the stronger
opponent, and the fair one, having the network's own vocabulary. Numpy only: a gram is an integer, (number of
its first k-1 tokens) x V + last token, looked up by bisection, so all positions of a text are scored at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextword.common.errors import BadInput
from nextword.tokenizer.shards import Shards

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

UNSEEN = -1


@dataclass(frozen=True)
class Order:
    """The grams of one length, and what is known of their histories (by the history's number)."""

    keys: Ints  # (grams,), sorted: history number x V + last token
    counts: Ints  # (grams,), c
    discounts: Floats  # (4,), D for counts of 0, 1, 2 and 3 or more
    totals: Floats  # (histories,), c(h .)
    reserved: Floats  # (histories,), gamma(h)


class NGram:
    """An interpolated modified Kneser-Ney model of token ids."""

    def __init__(self, orders: list[Order], vocab_size: int) -> None:
        self.orders, self.vocab_size = orders, vocab_size

    @staticmethod
    def train(documents: Iterable[Ints], vocab_size: int, order: int = 5) -> NGram:
        """Count the grams of documents, each `BOS text EOS`; a gram never crosses a document's border."""
        tokens, places = _joined(documents)
        grams = np.zeros(
            len(tokens), np.int64
        )  # the number of the gram that ends here; of length 0, all alike
        keys, raw, suffixes = [], [], []
        for k in range(1, order + 1):
            inside = np.flatnonzero(places >= k - 1)
            histories = grams[inside - 1] if k > 1 else np.zeros(len(inside), np.int64)
            unique, first, numbers, count = np.unique(
                histories * vocab_size + tokens[inside],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            suffixes.append(grams[inside][first])  # the gram one shorter that ends at the same place
            grams = np.full(len(tokens), UNSEEN)
            grams[inside] = numbers
            keys.append(unique)
            raw.append(count)
        if not all(map(len, keys)):
            raise BadInput(f"too little text for a model of order {order}")
        return NGram(_orders(keys, raw, suffixes, vocab_size, int(tokens[0])), vocab_size)

    def probabilities(self, ids: Ints) -> Floats:
        """p of each token of one document but the first, BOS: (N,) -> (N - 1,)."""
        found = np.empty(0, np.int64)  # number of the gram of length k-1 that ends at each place
        p = np.full(len(ids), 1 / self.vocab_size)
        for k, order in enumerate(self.orders, 1):
            history = np.zeros(len(ids), np.int64)  # number of the k-1 tokens before each place
            if k > 1:
                history[: k - 1] = UNSEEN  # the document is not that old yet
                history[k - 1 :] = found[k - 2 : -1]
            found, p = self._step(order, history, ids, p)
        return p[1:]

    def distribution(self, history: Ints) -> Floats:
        """p of every token after a history that begins with BOS: (V,)."""
        numbers = [0]  # of the history's last 0, 1, ... tokens
        for k in range(1, min(len(history), len(self.orders) - 1) + 1):
            number = 0
            for order, token in zip(self.orders, history[-k:], strict=False):
                number = int(_find(order.keys, np.array([number * self.vocab_size + token]))[0])
                if number == UNSEEN:
                    break
            numbers.append(number)
        every = np.arange(self.vocab_size)
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for order, number in zip(self.orders, numbers, strict=False):
            _, p = self._step(order, np.full(self.vocab_size, number), every, p)
        return p

    def _step(self, order: Order, history: Ints, tokens: Ints, shorter: Floats) -> tuple[Ints, Floats]:
        """One turn of the recursion: (gram numbers, p_k) from history numbers and p_{k-1}."""
        known = history != UNSEEN
        numbers = np.full(len(tokens), UNSEEN)
        numbers[known] = _find(order.keys, history[known] * self.vocab_size + tokens[known])
        count = np.where(numbers == UNSEEN, 0, order.counts[numbers])
        total = np.where(known, order.totals[history], 0.0)
        own = np.maximum(count - order.discounts[np.minimum(count, 3)], 0.0)
        p = (own + order.reserved[history] * shorter) / np.where(total > 0, total, 1.0)
        return numbers, np.where(total > 0, p, shorter)


def ngram_bits_per_byte(train: Shards, heldout: Shards, vocab_size: int, order: int = 5) -> float:
    """Bits per byte of held-out documents under the n-gram of the training documents.

    Scored as `bits_per_byte` scores a network: BOS given, EOS scored, over the UTF-8 bytes of the text.
    """
    model = NGram.train((ids for ids, _ in train.iterate()), vocab_size, order)
    bits = sum(
        -float(np.log2(model.probabilities(ids.astype(np.int64))).sum()) for ids, _ in heldout.iterate()
    )
    if not heldout.bytes:
        raise BadInput("holds no text to score", where=heldout.where)
    return bits / heldout.bytes


def _joined(documents: Iterable[Ints]) -> tuple[Ints, Ints]:
    """All tokens in a row, and each one's place in its document."""
    parts = [np.asarray(document, np.int64) for document in documents if len(document)]
    if not parts:
        raise BadInput("no documents to count")
    return np.concatenate(parts), np.concatenate([np.arange(len(part)) for part in parts])


def _orders(
    keys: list[Ints], raw: list[Ints], suffixes: list[Ints], vocab_size: int, bos: int
) -> list[Order]:
    orders = []
    for k, grams in enumerate(keys):
        counts = raw[k]
        if k + 1 < len(keys):
            before = np.bincount(suffixes[k + 1], minlength=len(grams))
            counts = np.where(before == 0, counts, before)  # nothing comes before a gram that begins with BOS
        if k == 0:
            counts = np.where(grams == bos, 0, counts)  # BOS is given, never predicted
        histories = grams // vocab_size
        size = int(histories.max()) + 1 if k == 0 else len(keys[k - 1])
        discounts = _discounts(counts)
        totals = np.bincount(histories, counts, size).astype(np.float64)
        reserved = np.bincount(histories, discounts[np.minimum(counts, 3)], size).astype(np.float64)
        orders.append(Order(grams, counts, discounts, totals, reserved))
    return orders


def _discounts(counts: Ints) -> Floats:
    """D for 0, 1, 2 and 3+; one half each where a text is too small to tell."""
    n1, n2, n3, n4 = (float(np.count_nonzero(counts == i)) for i in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return np.array([0.0, 0.5, 0.5, 0.5])
    y = n1 / (n1 + 2 * n2)
    found = np.array([0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    clipped: Floats = np.clip(found, 0.0, [0.0, 1.0, 2.0, 3.0])
    return clipped


def _find(keys: Ints, wanted: Ints) -> Ints:
    """The number of each wanted gram, or UNSEEN."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, UNSEEN)
