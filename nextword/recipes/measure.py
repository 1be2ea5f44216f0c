"""Bits per byte of a model and of the baselines it is held against, on the same held-out documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nextword import engine
from nextword.evaluate.baselines import baselines
from nextword.evaluate.bits_per_byte import bits_per_byte
from nextword.model.checkpoint import load_checkpoint
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenizer import Tokenizer


def measure(folder: Path, model: str = "", with_baselines: bool = True) -> Iterator[tuple[str, float]]:
    """Yield (name, bits per byte) for the run in `folder`, or for another checkpoint on its documents.

    Raises BadInput when the model's tokenizer is not the one that the run's tokens were made with.
    """
    checkpoint = engine.model_folder(Path(model) if model else folder)
    tokenizer = Tokenizer.load(checkpoint)
    heldout = Shards.open(folder / "tokens", "heldout", fingerprint=tokenizer.fingerprint)
    if with_baselines:
        train = Shards.open(folder / "tokens", "train")
        yield from ((one.name, one.bits_per_byte) for one in baselines(train, heldout, tokenizer))
    network = load_checkpoint(checkpoint)
    yield "model", bits_per_byte(network, heldout, network.config.max_position_embeddings).value
