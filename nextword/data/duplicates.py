"""Near duplicates: pages that share most of their five-word phrases (Broder 1997).

Only the lines that a page is the first to show are compared. Reference pages of two sister classes share
most of their text, what both inherit; on the documentation of Python the textbook form threw away 12 of 46
MB, with every docstring that was not inherited. A page that has hardly a line of its own never comes here
(blocks.SeenFilter).

datatrove's four MinHash blocks, with two changes. Its shingles need spaCy for every language; ours are
hashes of five words in any script (words.py). And its 112 permutations take a 64-bit remainder by 2^61 - 1
each, which costs more than the whole rest of cleaning; ours multiply and add modulo 2^64 (Dietzfelbinger
et al. 1997) over the distinct shingles, and the minimum is compared by its high bits in effect.

The numbers are FineWeb's (Penedo et al. 2024): 14 bands of 8 hashes find a pair of similarity s with
probability 1 - (1 - s^8)^14: 0.77 at s = 0.75, 0.92 at 0.8, 0.999 at 0.9, 0.05 at 0.5.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.utils.word_tokenizers import WordTokenizer

from nextword.data.blocks import Exclusions
from nextword.data.words import distinct, shingles, word_hashes, words

CONFIG = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
BLOCK = 4096
"""Shingles at a time, so that the table of 112 hashes for each stays in the cache."""


class Words(WordTokenizer):  # type: ignore[misc]
    """Our words behind datatrove's door, so that it loads no tokenizer of its own."""

    def word_tokenize(self, text: str) -> list[str]:
        """The words."""
        return words(text)

    def sent_tokenize(self, text: str) -> list[str]:
        """Lines: MinHash does not ask."""
        return text.split("\n")

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """The whole: MinHash does not ask."""
        return [(0, len(text))]


class NearSignature(MinhashDedupSignature):  # type: ignore[misc]
    """The MinHash signature of each document."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), config=CONFIG, language=Words())

    def get_shingles(self, text: str) -> npt.NDArray[np.uint64]:
        """The distinct hashed phrases of five words. (N, 1)"""
        hashes = shingles(word_hashes(words(text)), self.config.n_grams)
        return distinct(hashes).reshape(-1, 1)

    def get_signature(self, shingles: npt.NDArray[np.uint64]) -> list[list[int]]:
        """For each band the minima of its permutations."""
        a, b = self.parameters
        a, b = a | np.uint64(1), b  # odd: the multiplication is a permutation
        least = np.full(self.num_hashes, np.iinfo(np.uint64).max, dtype=np.uint64)
        for start in range(0, len(shingles), BLOCK):
            least = np.minimum(least, (shingles[start : start + BLOCK] * a + b).min(axis=0))
        # datatrove's readers split the range of hashes at 2^61 - 1
        return [band.tolist() for band in np.split(least >> np.uint64(3), self.config.num_buckets)]


def bands(signatures: Path, pairs: Path) -> PipelineStep:
    """Pairs of documents that agree on a whole band; CONFIG.num_buckets tasks."""
    return MinhashDedupBuckets(str(signatures), str(pairs), config=CONFIG, lines_to_buffer=1000)


def clusters(pairs: Path, removals: Path) -> PipelineStep:
    """Clusters of such pairs, all but one of each listed for removal; one task."""
    return MinhashDedupCluster(
        str(pairs), str(removals), config=CONFIG, save_cluster_id=True, lines_to_buffer=1000
    )


def near_filter(removals: Path, exclusions: Exclusions | None = None) -> PipelineStep:
    """Drops what `clusters` listed; notes the cluster in the metadata of those it keeps."""
    return MinhashNearFilter(str(removals), exclusion_writer=exclusions)


class MinhashNearFilter(MinhashDedupFilter):  # type: ignore[misc]
    """datatrove's filter, loading the clusters only where a task has any."""

    name = "near duplicates"

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Any:
        """The documents kept."""
        self.load_cluster_ids = self.data_folder.isfile(f"{rank:06d}.clusters")
        return super().run(data, rank, world_size)
