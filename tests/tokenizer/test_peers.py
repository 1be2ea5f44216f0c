"""The real AutoTokenizer beside us, in its own environment (`make peers`)."""

import json
import os
import shutil
import subprocess

import pytest

from nextword.tokenizer.tokenizer import Tokenizer
from tests.tokenizer.conftest import ROOT
from tests.tokenizer.test_engines import MADE
from tests.tokenizer.test_tokenizer import random_strings

BINARY = "".join(chr(byte) for byte in range(256))
CLASSES = {"llama2": "PreTrainedTokenizerFast", "llama3": "PreTrainedTokenizerFast", "qwen": "Qwen2Tokenizer"}

"""transformers 5's own class for Llama 2 throws the file's normaliser away and, unlike SentencePiece,
llama.cpp and us, puts no space before a text that begins with one; so there it reads the file with its
general class."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def strings(need) -> list[str]:
    """10,000 random strings; real Korean, Chinese and emoji; what a binary file looks like as text."""
    real = [
        "다람쥐 헌 쳇바퀴에 타고파. 뷁쀍 ㄱㄴㄷ ㅋㅋㅋㅋ, 2026년 11월 23일이에요.",
        "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。繁體字、简体字。",
        "👩‍👩‍👧‍👦 🇰🇷 👍🏽 ❤️‍🔥 🙂🙃 1️⃣",
        BINARY * 3,
        bytes(range(256)).decode("utf-8", "replace"),
        "I'll we'VE it'ſ can'T 'Re 's's  \t\n\r\n\n  x\u00a0\u3000 y   ",
        (ROOT / "nextword/model/llama.py").read_text(),
        (ROOT / "docs/ko/01-two-files.md").read_text(),
    ]
    return random_strings(10_000, seed=1) + real


def asked(need, folder, strings) -> dict:
    """The peer's answer for a folder."""
    python = need(".peers/transformers/bin/python")
    run = subprocess.run(
        [python, ROOT / "tests/tokenizer/peer_ids.py", folder],
        input=json.dumps(strings),
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def test_auto_tokenizer_gives_our_ids(need, tmp_path, folder, tokenizer, strings):
    shutil.copytree(folder, tmp_path / "tokenizer")
    answer = asked(need, tmp_path / "tokenizer", strings)
    assert answer["ids"] == tokenizer.encode_batch(strings)
    assert answer["special"] == [tokenizer.bos, tokenizer.eos, tokenizer.pad]
    assert answer["size"] == tokenizer.vocab_size
    said = ["<|system|>Be brief.", "<|user|>안녕?", "<|assistant|>네!", "<|user|>Bye"]
    assert answer["chat"] == "<|bos|>" + "".join(f"{turn}<|end|>" for turn in said) + "<|assistant|>"
    assert answer["chat_ids"] == tokenizer.encode(answer["chat"], special=True)
    saved = Tokenizer.load(tmp_path / "tokenizer" / "saved")
    assert saved.is_ours
    assert saved.encode_batch(strings) == answer["ids"]


@pytest.mark.parametrize("shape", MADE)
def test_auto_tokenizer_gives_our_ids_for_folders_from_elsewhere(need, tmp_path, texts, strings, shape):
    make, bos, eos = MADE[shape]
    make(texts).save(str(tmp_path / "tokenizer.json"))
    config = {"tokenizer_class": CLASSES[shape], "bos_token": bos, "eos_token": eos}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer.load(tmp_path)
    answer = asked(need, tmp_path, strings)
    ours = tokenizer.encode_batch(strings)
    assert [n for n, ids in enumerate(answer["ids"]) if ids != ours[n]] == []
