"""What `show` tells of a file, and of the checksum it carries."""

from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from nextword.common.errors import Corrupt
from nextword.model.checkpoint import save_checkpoint
from nextword.model.config import ModelConfig
from nextword.model.llama import Llama
from nextword.recipes.contents import UNVERIFIABLE, VERIFIED, contents


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    model = Llama(
        ModelConfig(
            vocab_size=64,
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=16,
            intermediate_size=64,
            max_position_embeddings=64,
        )
    )
    model.initialise(0)
    save_checkpoint(model, tmp_path / "model")
    return tmp_path / "model"


def test_a_checkpoint_of_ours_is_verified_when_asked(checkpoint):
    assert VERIFIED not in list(contents(checkpoint))
    assert list(contents(checkpoint, verify=True))[-1] == VERIFIED


def test_a_checkpoint_without_checksums_says_that_it_could_not_be_verified(checkpoint):
    weights = checkpoint / "model.safetensors"
    save_file(load_file(weights), weights, {"format": "pt"})
    assert list(contents(checkpoint, verify=True))[-1] == UNVERIFIABLE


def test_a_changed_weight_is_found(checkpoint):
    weights = checkpoint / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(Corrupt, match="checksum"):
        list(contents(checkpoint, verify=True))
