"""Folders from elsewhere: their shapes rebuilt small, ids compared with the library's own."""

import json
from pathlib import Path

import hypothesis.strategies as st
import pytest
import tokenizers
from hypothesis import given
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers

from nextword.tokenizer.engines import PATTERN
from nextword.tokenizer.tokenizer import Tokenizer

QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


def byte_level(pattern: str, texts: list[str], ignore_merges: bool) -> tokenizers.Tokenizer:
    """The shape of Llama 3's (ignore_merges) and Qwen's tokenizer.json."""
    made = tokenizers.Tokenizer(models.BPE(ignore_merges=ignore_merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    )
    return made


def llama3(texts: list[str]) -> tokenizers.Tokenizer:
    made = byte_level(PATTERN, texts, ignore_merges=True)
    made.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    return made


def qwen(texts: list[str]) -> tokenizers.Tokenizer:
    made = byte_level(QWEN, texts, ignore_merges=False)
    made.normalizer = normalizers.NFC()
    made.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    made.add_tokens([AddedToken("<tool_call>", normalized=False, special=False)])
    return made


def llama2(texts: list[str]) -> tokenizers.Tokenizer:
    """SentencePiece as `transformers` converts it: no split, `▁` for a space, bytes for what is unknown."""
    made = tokenizers.Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    lines = [line[:80] for text in texts for line in text.splitlines()]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        special_tokens=["<unk>", "<s>", "</s>", *bytes_],
        show_progress=False,
        max_token_length=16,
    )
    made.train_from_iterator(lines, trainer)
    description = json.loads(made.to_str())
    description["added_tokens"] = description["added_tokens"][:3]  # bytes are ordinary tokens
    made = tokenizers.Tokenizer.from_str(json.dumps(description))
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return made


MADE = {"llama2": (llama2, "<s>", "</s>"), "llama3": (llama3, "<|begin_of_text|>", "<|end_of_text|>")}
MADE["qwen"] = (qwen, None, "<|im_end|>")


@pytest.fixture(scope="session", params=MADE)
def foreign(request, tmp_path_factory, texts) -> tuple[Tokenizer, tokenizers.Tokenizer]:
    """The folder opened by us, and by the library."""
    make, bos, eos = MADE[request.param]
    folder: Path = tmp_path_factory.mktemp(request.param)
    made = make(texts)
    made.save(str(folder / "tokenizer.json"))
    config = {"bos_token": bos, "eos_token": {"content": eos, "special": True}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return Tokenizer.load(folder), made


@given(st.text(alphabet=st.one_of(st.sampled_from(" \n\ta1'sé가나🙂e\u0301"), st.characters(codec="utf-8"))))
def test_ids_are_the_library_s(foreign, text):
    ours, theirs = foreign
    assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids


def test_text_that_spells_a_special_token_stays_text(foreign):
    ours, _ = foreign
    for name in ours.special:
        ids = ours.encode(f"a {name} b")
        assert not set(ids) & set(ours.special.values()), name


def test_special_tokens_are_read_in_text_that_is_ours(foreign):
    ours, _ = foreign
    for name, id in ours.special.items():
        assert ours.encode(name, special=True) == [id]


def test_the_configuration_names_bos_and_eos(foreign):
    ours, theirs = foreign
    assert ours.eos is not None and theirs.id_to_token(ours.eos) == ours.config["eos_token"]["content"]
    assert ours.bos == (ours.config["bos_token"] and theirs.token_to_id(ours.config["bos_token"]))
    assert ours.pad is None


@given(st.text(alphabet=st.sampled_from(" ab\nXé가🙂\x07")))
def test_ordinary_text_comes_back(foreign, text):
    ours, _ = foreign
    assert ours.decode(ours.encode(text)) == text


@given(st.text(alphabet=st.sampled_from(" ab\nXé가🙂\x07")))
def test_the_bytes_of_tokens_make_the_text(foreign, text):
    ours, _ = foreign
    assert ours.decode_bytes(ours.encode(text)).decode() in (text, " " + text)  # SentencePiece adds one


def test_the_vocabulary_counts_special_tokens(foreign):
    ours, theirs = foreign
    assert ours.vocab_size == theirs.get_vocab_size(with_added_tokens=True)
    assert not ours.is_ours
