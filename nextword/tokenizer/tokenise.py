"""The tokenise stage: cleaned documents to token shards, every document `BOS text EOS`.

Memory is flat: records are read, encoded and written as they stream by, a window of a few hundred kilobytes
at a time. `tiktoken` lets go of Python's lock while it works, so threads, which need no copy of the corpus
and no second interpreter, encode in parallel.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nextword.common.errors import BadInput
from nextword.common.files import folder_written_atomically, write_json
from nextword.common.progress import Progress
from nextword.common.records import read_documents
from nextword.common.settings import option
from nextword.tokenizer.shards import INDEX, SHARD_TOKENS, Ids, ShardInfo, write_shards
from nextword.tokenizer.tokenizer import Tokenizer, unicode

SPLITS = ("train", "heldout")
OURS = (INDEX, *(f"{split}-*.tokens" for split in SPLITS))
GROUP = 1 << 18
"""Characters handed to a thread at a time: enough to make the hand-over free, little enough to stay small."""


@dataclass(frozen=True)
class TokeniseSettings:
    """How cleaned documents become token shards."""

    shard_tokens: int = option(
        SHARD_TOKENS, "close a shard after the document that fills it to this many tokens"
    )
    threads: int = option(0, "encoding threads; 0 takes one a core, up to eight")


def tokenise(
    settings: TokeniseSettings, clean: Path, tokenizer: Path, out: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Write `out` (RUN/tokens) from `clean` (train.jsonl.zst, heldout.jsonl.zst); returns tokens.json's
    content.

    The folder appears whole or not at all, and an older one stays until the new one is complete. BadInput
    when `out` holds what is no older one.
    """
    encoder = Tokenizer.load(tokenizer)
    files = {split: split_file(clean, split) for split in SPLITS}
    progress = progress or Progress("tokenise", unit="bytes")
    splits: dict[str, Any] = {}
    with progress, folder_written_atomically(out, OURS, inputs=[clean, tokenizer]) as folder:
        for split, path in files.items():
            shards = write_shards(
                folder,
                split,
                _encoded(path, encoder, settings.threads, progress),
                fingerprint=encoder.fingerprint,
                vocab_size=encoder.vocab_size,
                shard_tokens=settings.shard_tokens,
            )
            splits[split] = _summary(shards)
        index = {"tokenizer": encoder.fingerprint, "vocab_size": encoder.vocab_size, "splits": splits}
        write_json(folder / INDEX, index)
    return index


def _encoded(path: Path, tokenizer: Tokenizer, threads: int, progress: Progress) -> Iterator[tuple[Ids, int]]:
    """Each document's ids and bytes, in the file's order; a few groups are under way at any time."""
    bos, eos = [tokenizer.required("bos")], [tokenizer.required("eos")]

    def encode(texts: list[str]) -> list[tuple[Ids, int]]:
        return [
            (np.array(bos + tokenizer.encode(text) + eos, np.uint32), len(unicode(text).encode()))
            for text in texts
        ]

    def finished(group: Future[list[tuple[Ids, int]]]) -> list[tuple[Ids, int]]:
        done = group.result()
        progress.advance(sum(size for _, size in done), path.name)
        return done

    threads = threads or min(8, os.cpu_count() or 1)
    waiting: deque[Future[list[tuple[Ids, int]]]] = deque()
    with ThreadPoolExecutor(threads, "tokenise") as pool:
        for texts in _groups(path):
            waiting.append(pool.submit(encode, texts))
            if len(waiting) > 2 * threads:
                yield from finished(waiting.popleft())
        while waiting:
            yield from finished(waiting.popleft())


def _groups(path: Path) -> Iterator[list[str]]:
    texts: list[str] = []
    size = 0
    for document in read_documents(path):
        texts.append(document.text)
        size += len(document.text)
        if size >= GROUP:
            yield texts
            texts, size = [], 0
    if texts:
        yield texts


def split_file(clean: Path, split: str) -> Path:
    """The record file of a split in a `clean` folder; BadInput when there is none."""
    for suffix in (".jsonl.zst", ".jsonl.xz", ".jsonl"):
        if (path := clean / f"{split}{suffix}").exists():
            return path
    raise BadInput(f"no {split}.jsonl.zst here", where=clean, do="run `nextword clean` first")


def _summary(shards: list[ShardInfo]) -> dict[str, Any]:
    return {
        "tokens": sum(shard.tokens for shard in shards),
        "documents": sum(shard.documents for shard in shards),
        "bytes": sum(shard.bytes for shard in shards),
        "shards": [asdict(shard) for shard in shards],
    }
