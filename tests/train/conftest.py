"""A tiny corpus of our own sentences and code, tokenised, so that a run learns something within seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.fixed_text import fixed_text


@dataclass(frozen=True)
class Corpus:
    tokens: Path
    tokenizer: Path


@pytest.fixture(scope="session")
def corpus(tiny_tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    from nextword.common.files import write_json
    from nextword.tokenizer.shards import INDEX, write_shards
    from nextword.tokenizer.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(tiny_tokenizer_folder)
    folder = tmp_path_factory.mktemp("tokens")
    splits = {}
    for split, seeds in (("train", range(2, 24)), ("heldout", range(2))):
        texts = [fixed_text(seed, 100) for seed in seeds]
        ids = [[tokenizer.bos, *tokenizer.encode(text), tokenizer.eos] for text in texts]
        documents = [(np.array(one), len(text.encode())) for one, text in zip(ids, texts, strict=True)]
        shards = write_shards(
            folder, split, documents, fingerprint=tokenizer.fingerprint, vocab_size=tokenizer.vocab_size
        )
        splits[split] = {"shards": [vars(shard) for shard in shards]}
    write_json(folder / INDEX, {"splits": splits})
    return Corpus(folder, tiny_tokenizer_folder)


@pytest.fixture
def settings():
    """A run of a second or two: depth 1, 12 steps of 256 tokens, in fp32."""
    from nextword.train.pretrain import PretrainSettings

    return PretrainSettings(
        steps=12,
        depth=1,
        batch=4,
        context=64,
        precision="fp32",
        compile="off",
        device="cpu",
        quick_tokens=200,
        final_tokens=400,
        sample_tokens=4,
    )


@pytest.fixture(scope="session")
def assistant(tiny_tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a random model that can converse: hidden 32, one layer, 512 tokens, a context of 96."""
    import shutil

    from nextword.common.files import read_json, write_json
    from nextword.model.checkpoint import save_checkpoint
    from nextword.model.config import ModelConfig
    from nextword.model.llama import Llama
    from nextword.tokenizer.special import CHAT_TEMPLATE

    folder = tmp_path_factory.mktemp("assistant")
    shutil.copytree(tiny_tokenizer_folder, folder / "tokenizer")
    config = folder / "tokenizer" / "tokenizer_config.json"
    write_json(config, {**read_json(config), "chat_template": CHAT_TEMPLATE})
    shape = ModelConfig(512, 32, 64, 1, 2, 2, 16, 96, bos_token_id=480, eos_token_id=481)
    model = Llama(shape)
    model.initialise(seed=5)
    save_checkpoint(model, folder / "model", folder / "tokenizer")
    return folder / "model"


@pytest.fixture(scope="session")
def reward_model(assistant: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a reward model on that assistant's trunk, its head random."""
    from nextword.model.checkpoint import load_checkpoint
    from nextword.model.scalar_head import ScalarLlama, save_scalar

    folder = tmp_path_factory.mktemp("reward") / "model"
    save_scalar(ScalarLlama.on(load_checkpoint(assistant), seed=6), folder, pad=482, tokenizer=assistant)
    return folder


@pytest.fixture
def other(assistant: Path, tmp_path: Path) -> Path:
    """The assistant with one weight changed, under the same name."""
    import shutil

    import torch

    from nextword.model.checkpoint import load_checkpoint, save_checkpoint

    folder = shutil.copytree(assistant, tmp_path / "other" / assistant.name)
    model = load_checkpoint(folder)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    save_checkpoint(model, folder, assistant)
    return folder
