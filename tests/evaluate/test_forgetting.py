"""Bits per byte of a model folder on held-out documents."""

from __future__ import annotations

import dataclasses

import numpy as np

from nextword.common.files import write_json
from nextword.evaluate.forgetting import held_out_bits
from nextword.model.checkpoint import save_checkpoint
from nextword.tokenizer.shards import INDEX, write_shards
from nextword.tokenizer.tokenizer import Tokenizer


def test_a_folder_is_measured_on_a_runs_held_out_shards(tmp_path, tiny_model, tiny_tokenizer_folder):
    save_checkpoint(tiny_model, tmp_path / "model", tiny_tokenizer_folder)
    held_out = [(np.array([480, *range(20), 481], np.uint32), 40)]
    fingerprint = Tokenizer.load(tmp_path / "model").fingerprint
    shards = write_shards(tmp_path / "tokens", "heldout", held_out, fingerprint=fingerprint, vocab_size=512)
    listed = {"splits": {"heldout": {"shards": [dataclasses.asdict(shard) for shard in shards]}}}
    write_json(tmp_path / "tokens" / INDEX, listed)
    found = held_out_bits(tmp_path / "model", tmp_path / "tokens")
    assert (found.tokens, found.bytes) == (21, 40)
