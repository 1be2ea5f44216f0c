"""A tokenizer in GGUF's words."""

import itertools
import json
import random

import pytest
from gguf import TokenType
from hypothesis import given
from hypothesis import strategies as st

from nextword.common.errors import BadInput, Corrupt
from nextword.release.vocabulary import QWEN2, read_vocabulary


def edited(folder, change):
    """The folder with its tokenizer.json changed."""
    path = folder / "tokenizer.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    change(description)
    path.write_text(json.dumps(description), encoding="utf-8")
    return folder


def test_ours_is_gpt2_split_as_llama_3_splits(folders, tmp_path):
    vocabulary = read_vocabulary(folders.write_tokenizer(tmp_path), folders.VOCAB)
    assert (vocabulary.model, vocabulary.pre) == ("gpt2", "llama-bpe")
    assert vocabulary.specials.merges[:2] == ["t h", "th e"]


def test_special_tokens_are_control_tokens_and_the_others_normal(folders, tmp_path):
    vocabulary = read_vocabulary(folders.write_tokenizer(tmp_path), folders.VOCAB)
    assert vocabulary.types[-32:] == [TokenType.CONTROL] * 32
    assert set(vocabulary.types[:-32]) == {TokenType.NORMAL}


def test_a_document_begins_with_bos_and_a_turn_ends_with_end(folders, tmp_path):
    specials = read_vocabulary(folders.write_tokenizer(tmp_path), folders.VOCAB).specials
    assert specials.add_special_token["bos"] is True
    assert specials.special_token_ids["bos"] == folders.BOS
    assert specials.special_token_ids["eot"] == folders.BOS + 7
    assert "<|assistant|>" in specials.chat_template


def test_rows_without_a_token_are_filled_with_unused_ones(folders, tmp_path):
    vocabulary = read_vocabulary(folders.write_tokenizer(tmp_path), folders.VOCAB + 8)
    assert vocabulary.tokens[-1] == f"[PAD{folders.VOCAB + 7}]"
    assert vocabulary.types[-8:] == [TokenType.UNUSED] * 8


def test_a_token_without_a_row_is_refused(folders, tmp_path):
    with pytest.raises(BadInput, match=r"has no row in a model of 300 tokens; is this the tokenizer"):
        read_vocabulary(folders.write_tokenizer(tmp_path), 300)


def test_a_split_without_a_name_is_refused_rather_than_misnamed(folders, tmp_path):
    folder = foreign(folders.write_tokenizer(tmp_path), [{"type": "WhitespaceSplit"}])
    with pytest.raises(BadInput, match="splits text in a way that GGUF has no name for"):
        read_vocabulary(folder, folders.VOCAB)


def foreign(folder, steps):
    """The folder as if from elsewhere: two special tokens and another split."""

    def change(description):
        description["added_tokens"] = description["added_tokens"][:2]
        byte_level = description["pre_tokenizer"]["pretokenizers"][1]
        is_last = {"use_regex": steps[-1:] == [] or steps[-1]["type"] == "Digits"}
        description["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [*steps, byte_level | is_last]}

    return edited(folder, change)


@pytest.mark.parametrize(
    ("steps", "name"),
    [
        ([{"type": "Split", "pattern": {"Regex": QWEN2}, "behavior": "Isolated", "invert": False}], "qwen2"),
        ([{"type": "Digits", "individual_digits": True}], "smollm"),
        ([], "gpt-2"),
    ],
)
def test_other_known_splits_keep_their_names(folders, tmp_path, steps, name):
    folder = foreign(folders.write_tokenizer(tmp_path), steps)
    assert read_vocabulary(folder, folders.VOCAB).pre == name


def test_llama_2s_scores_fall_in_the_order_of_its_merges(folders, tmp_path):
    folder, size = folders.llama2_folder(tmp_path / "llama2")
    vocabulary = read_vocabulary(folder, size)
    scores = dict(zip(vocabulary.tokens, vocabulary.scores, strict=True))
    reachable = [piece for piece in folders.LLAMA2_PIECES if piece != "▁the▁"] + ["▁the▁"]
    assert vocabulary.model == "llama"
    assert scores["▁t"] == 0 > scores["he"] > scores["▁the"] > scores["er"]
    assert all(scores[piece] > scores["t"] for piece in reachable)


def test_llama_2s_types_are_unknown_control_byte_and_normal(folders, tmp_path):
    folder, size = folders.llama2_folder(tmp_path / "llama2")
    vocabulary = read_vocabulary(folder, size)
    types = dict(zip(vocabulary.tokens, vocabulary.types, strict=True))
    assert [types[t] for t in ("<unk>", "<s>", "<0x0A>", "he")] == [
        TokenType.UNKNOWN,
        TokenType.CONTROL,
        TokenType.BYTE,
        TokenType.NORMAL,
    ]


def test_whether_a_space_comes_first_is_read_from_either_layout(folders, tmp_path):
    folder, size = folders.llama2_folder(tmp_path / "older")
    assert read_vocabulary(folder, size).add_space_prefix is True
    folder, size = folders.llama2_folder(tmp_path / "newer", older=False)
    assert read_vocabulary(folder, size).add_space_prefix is False


def sentencepiece_ids(vocabulary, text):
    """SentencePiece's algorithm by definition: join the best-scored pair, leftmost first."""
    scores = dict(zip(vocabulary.tokens, vocabulary.scores, strict=True))
    parts = list("▁" + text.replace(" ", "▁"))
    while True:
        pairs = [(scores[a + b], -i) for i, (a, b) in enumerate(itertools.pairwise(parts)) if a + b in scores]
        if not pairs:
            break
        at = -max(pairs)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    ids = {token: id for id, token in enumerate(vocabulary.tokens)}
    return [ids[part] for part in parts]


@given(st.lists(st.sampled_from(["the", " ", "er", "in", "on", "t", "h", "e", "i"]), min_size=1, max_size=12))
def test_scores_join_text_as_the_folders_own_merges_do(folders, tmp_path_factory, words):
    from tokenizers import Tokenizer

    folder, size = folders.llama2_folder(tmp_path_factory.mktemp("scores") / "llama2")
    text = "".join(words)
    expected = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    assert sentencepiece_ids(read_vocabulary(folder, size), text) == expected


def test_a_damaged_tokenizer_is_refused_in_one_line(folders, tmp_path):
    folder = folders.write_tokenizer(tmp_path)
    data = bytearray((folder / "tokenizer.json").read_bytes())
    noise = random.Random(0)
    for _ in range(40):
        at = noise.randrange(len(data))
        (folder / "tokenizer.json").write_bytes(data[:at])
        with pytest.raises(Corrupt):
            read_vocabulary(folder, folders.VOCAB)
