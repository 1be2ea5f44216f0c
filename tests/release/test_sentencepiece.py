"""tokenizer.model, read without a protobuf library."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.common.errors import BadInput, Corrupt
from nextword.release.sentencepiece import Piece, SentencePieceModel, read_sentencepiece
from nextword.release.vocabulary import read_vocabulary


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def message(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def model(pieces, prefix=True, algorithm=2):
    packed = b""
    for text, score, type in pieces:
        piece = message(1, text.encode()) + b"\x15" + struct.pack("<f", score)
        packed += message(1, piece + (b"\x18" + varint(type) if type != 1 else b""))
    packed += message(2, b"\x18" + varint(algorithm) + message(30, b"unknown trainer field"))
    return packed + message(3, b"\x18" + varint(int(prefix)))


PIECES = [("<unk>", 0, 2), ("<s>", 0, 3), ("<0x41>", 0, 6), ("▁the", -1.5, 1), ("말", -2, 1)]


def write(tmp_path, data):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(data)
    return path


def test_pieces_scores_types_and_the_prefix_are_read(tmp_path):
    found = read_sentencepiece(write(tmp_path, model(PIECES, prefix=False)))
    assert found == SentencePieceModel(
        [Piece(text, float(score), type) for text, score, type in PIECES], False
    )


def test_an_algorithm_other_than_bpe_is_refused(tmp_path):
    with pytest.raises(BadInput, match="its algorithm is number 1, we write BPE"):
        read_sentencepiece(write(tmp_path, model(PIECES, algorithm=1)))


@given(st.integers(0, model(PIECES).index(b"unknown trainer")))
def test_a_model_cut_anywhere_is_refused(tmp_path_factory, at):
    with pytest.raises(BadInput):  # cut between two pieces, it lacks its algorithm
        read_sentencepiece(write(tmp_path_factory.mktemp("cut"), model(PIECES)[:at]))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_break_the_reader(tmp_path_factory, data):
    with pytest.raises(BadInput):
        read_sentencepiece(write(tmp_path_factory.mktemp("any"), data))


def test_a_number_without_an_end_is_refused(tmp_path):
    with pytest.raises(Corrupt, match="more than ten bytes"):
        read_sentencepiece(write(tmp_path, b"\xff" * 30))


def test_a_folder_with_only_tokenizer_model_is_read_with_its_own_scores(tmp_path):
    write(tmp_path, model(PIECES))
    (tmp_path / "config.json").write_text('{"bos_token_id": 1}')
    vocabulary = read_vocabulary(tmp_path, 6)
    assert (vocabulary.model, vocabulary.add_space_prefix) == ("llama", True)
    assert vocabulary.tokens == ["<unk>", "<s>", "<0x41>", "▁the", "말", "[PAD5]"]
    assert vocabulary.scores[3:5] == [-1.5, -2.0] and vocabulary.types == [2, 3, 6, 1, 1, 5]
    assert vocabulary.specials.special_token_ids == {"bos": 1}


def test_its_scores_go_before_those_that_merges_would_give(folders, tmp_path):
    folder, size = folders.llama2_folder(tmp_path / "llama2")
    vocabulary = read_vocabulary(folder, size)
    pieces = [
        (token, -99.0 if type == 1 else 0.0, type)
        for token, type in zip(vocabulary.tokens, vocabulary.types, strict=True)
    ]
    write(folder, model(pieces))
    scores = read_vocabulary(folder, size).scores
    assert {score for score, type in zip(scores, vocabulary.types, strict=True) if type == 1} == {-99.0}
