import lzma

import numpy as np
import pytest

from nextword.common.errors import BadInput
from nextword.evaluate.baselines import baselines, primed_xz, text_of, uniform
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenizer import Tokenizer
from tests.tokenizer.conftest import shards_of


@pytest.fixture
def tokenizer(tiny_tokenizer_folder):
    """512 byte-level tokens."""
    return Tokenizer.load(tiny_tokenizer_folder)


def corpus(folder, tokenizer, texts) -> Shards:
    """Texts as shards (whose byte counts are not the texts')."""
    folder.mkdir()
    documents = [[tokenizer.bos, *tokenizer.encode(text), tokenizer.eos] for text in texts]
    return shards_of(folder, documents, 10_000, tokenizer.vocab_size)


def test_uniform_pays_for_every_token_but_bos(tmp_path):
    shards = shards_of(tmp_path, [[0, 1, 2], [0, 1]])
    assert uniform(shards, 1024) == 10 * 3 / 10


def test_text_comes_back_from_shards_with_its_ends_marked(tmp_path, tokenizer):
    assert text_of(corpus(tmp_path / "a", tokenizer, ["one", "두"]), tokenizer) == "one\0두\0".encode()


def test_xz_finds_again_what_it_was_primed_with():
    text = np.random.default_rng(0).bytes(20_000)
    assert primed_xz(text, text, len(text)) < 0.2
    assert primed_xz(b"", text, len(text)) > 8


def test_xz_primed_with_nothing_is_xz():
    text = b"spam and eggs, " * 100
    alone = len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    assert abs(primed_xz(b"", text, len(text)) * len(text) / 8 - alone) < 80  # xz's own header and index


def test_nothing_held_out_is_said(tmp_path, tokenizer):
    train, none = (corpus(tmp_path / name, tokenizer, texts) for name, texts in (("a", ["one"]), ("b", [])))
    with pytest.raises(BadInput, match="no document is held out"):
        baselines(train, none, tokenizer)


def test_the_baselines_are_named_and_ordered_by_what_they_know(tmp_path, tokenizer):
    texts = [f"def step_{n % 7}(self, value):\n    return self.value[{n % 5}]\n" * 3 for n in range(60)]
    train = corpus(tmp_path / "train", tokenizer, texts[:50])
    heldout = corpus(tmp_path / "heldout", tokenizer, texts[50:])
    found = {baseline.name: baseline.bits_per_byte for baseline in baselines(train, heldout, tokenizer)}
    assert list(found) == ["uniform", "1-gram", "5-gram", "xz -9e"]
    assert found["uniform"] > found["1-gram"] > 3 * found["5-gram"]
    assert found["xz -9e"] < found["1-gram"]
