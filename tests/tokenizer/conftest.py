"""A small tokenizer trained on our own words, and a corpus of shards."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from nextword.common.progress import Progress
from nextword.data.own_text import own_documents
from nextword.tokenizer.shards import INDEX, Shards, write_shards
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.tokenizer.training import TokenizerSettings, train_tokenizer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """English (code and prose) and Korean that come with the repository."""
    code = [path.read_text() for path in sorted((ROOT / "nextword/common").glob("*.py"))]
    pages = [page.text for page in own_documents() if page.lang == "ko"]
    korean = [part for page in pages for part in page.split("\n\n") if "<|" not in part]
    return [part for text in code for part in text.split("\n\n\n")] + korean


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """A trained tokenizer's folder."""
    out = tmp_path_factory.mktemp("run") / "tokenizer"
    train_tokenizer(TokenizerSettings(vocab_size=1200), texts, out, quiet())
    return out


@pytest.fixture(scope="session")
def tokenizer(folder: Path) -> Tokenizer:
    """That tokenizer, opened."""
    return Tokenizer.load(folder)


def quiet() -> Progress:
    """Progress that nobody sees."""
    return Progress("test", console=Console(file=io.StringIO()))


def shards_of(
    folder: Path, documents: list[list[int]], shard_tokens: int = 50, vocab_size: int = 1000
) -> Shards:
    """Documents as a mapped "train" split; a document's text has twice as many bytes as it has ids."""
    shards = write_shards(
        folder,
        "train",
        [(np.array(ids, np.uint32), 2 * len(ids)) for ids in documents],
        fingerprint="ab" * 32,
        vocab_size=vocab_size,
        shard_tokens=shard_tokens,
    )
    listed = {"splits": {"train": {"shards": [dataclasses.asdict(shard) for shard in shards]}}}
    (folder / INDEX).write_text(json.dumps(listed))
    return Shards.open(folder, "train")
