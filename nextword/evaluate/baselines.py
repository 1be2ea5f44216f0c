"""What a network's bits per byte are held against: a coin, counting, and the best-known general compressor.

All of them score the same held-out documents, each to its end, over the same UTF-8 bytes.

    uniform   every token of the vocabulary alike: log2 V a token
    1-gram    tokens by their frequency in the training text
    5-gram    interpolated modified Kneser-Ney on tokens (`ngram.py`)
    xz -9e    how much longer xz makes the training text when the held-out text is added to it
"""

from __future__ import annotations

import lzma
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from nextword.common.errors import BadInput
from nextword.evaluate.ngram import ngram_bits_per_byte
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenizer import Tokenizer


@dataclass(frozen=True)
class Baseline:
    """A named figure for the report."""

    name: str
    bits_per_byte: float


def baselines(train: Shards, heldout: Shards, tokenizer: Tokenizer) -> list[Baseline]:
    """All baselines, weakest idea first; 10 MB to train on take twenty CPU seconds, nearly all xz's.

    Raises BadInput when nothing is held out, as of a source of one page.
    """
    if not heldout.bytes:
        raise BadInput("no document is held out, so nothing can be measured", do="collect more than one page")
    vocabulary = tokenizer.vocab_size
    return [
        Baseline("uniform", uniform(heldout, vocabulary)),
        Baseline("1-gram", ngram_bits_per_byte(train, heldout, vocabulary, order=1)),
        Baseline("5-gram", ngram_bits_per_byte(train, heldout, vocabulary, order=5)),
        Baseline("xz -9e", primed_xz(text_of(train, tokenizer), text_of(heldout, tokenizer), heldout.bytes)),
    ]


def uniform(heldout: Shards, vocab_size: int) -> float:
    """log2 V bits for each token but the BOS of each document."""
    return (heldout.tokens - heldout.documents) * math.log2(vocab_size) / heldout.bytes


def primed_xz(train: bytes, heldout: bytes, size: int) -> float:
    """Bits per byte of `heldout` to an xz that has just read `train`.

    Python's lzma takes no preset dictionary, so we compress twice, side by side, and subtract. The dictionary
    is made large enough to hold both texts, else xz would forget the beginning of what it is primed with.
    """
    window = len(train) + len(heldout)
    with ThreadPoolExecutor(2) as pool:
        before, after = pool.map(lambda text: _compressed(text, window), (train, train + heldout))
    return 8 * (after - before) / size


def text_of(shards: Shards, tokenizer: Tokenizer) -> bytes:
    """The documents' text, a zero byte after each: xz has to tell where a document ends, as the models do."""
    return b"".join(tokenizer.decode_bytes(ids.tolist()) + b"\0" for ids, _ in shards.iterate())


def _compressed(text: bytes, window: int) -> int:
    lzma2 = {
        "id": lzma.FILTER_LZMA2,
        "preset": 9 | lzma.PRESET_EXTREME,
        "dict_size": min(max(window, 64 << 20), 1536 << 20),
    }
    return len(lzma.compress(text, lzma.FORMAT_RAW, filters=[lzma2]))
