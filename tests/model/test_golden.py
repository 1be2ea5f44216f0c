"""Our logits against stored ones that transformers computed; test_peers.py has the real one beside us."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nextword.model.checkpoint import load_checkpoint
from nextword.model.config_file import architecture_of, read_config
from nextword.model.llama import KVCache

GOLDEN = Path(__file__).with_name("golden")
FOLDERS = sorted(path.parent for path in GOLDEN.glob("*/config.json"))
CLASSES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM"}
CLASSES |= {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}


def test_every_case_is_stored():
    assert len(FOLDERS) == 7


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_logits_agree_with_transformers(folder):
    expected = load_file(folder / "expected.safetensors")
    logits = load_checkpoint(folder)(expected["ids"].long())
    assert torch.allclose(logits, expected["logits"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_logits_through_the_cache_agree_too(folder):
    expected = load_file(folder / "expected.safetensors")
    model, ids = load_checkpoint(folder), expected["ids"].long()
    cache = KVCache(model.config, 1, ids.shape[1], torch.float32, torch.device("cpu"))
    with torch.no_grad():
        pieces = [model(piece, cache=cache) for piece in ids.split([10, 1, 1, 20], dim=1)]
    assert torch.allclose(torch.cat(pieces, dim=1), expected["logits"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_architecture_is_recognised_and_written_back(folder):
    wanted = CLASSES[folder.name.split("-")[0].removesuffix("3") if "llama" in folder.name else folder.name]
    assert architecture_of(read_config(folder / "config.json")) == wanted
