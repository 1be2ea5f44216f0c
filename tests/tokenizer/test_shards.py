import itertools
import json
import shutil
import struct
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import xxhash
from hypothesis import given

from nextword.common.errors import BadInput, Corrupt
from nextword.tokenizer.shards import Shard, Shards
from tests.tokenizer.conftest import shards_of

DOCUMENTS = st.lists(st.lists(st.integers(0, 999), max_size=40), max_size=12)


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Path:
    """A split of three shards."""
    folder = tmp_path_factory.mktemp("tokens")
    shards_of(folder, [list(range(n, n + 17)) for n in range(8)])
    assert len(list(folder.glob("*.tokens"))) == 3
    return folder


@given(DOCUMENTS, st.integers(1, 100))
def test_documents_come_back_in_order_with_their_sizes(tmp_path_factory, documents, shard_tokens):
    shards = shards_of(tmp_path_factory.mktemp("s"), documents, shard_tokens)
    assert [(ids.tolist(), size) for ids, size in shards.iterate()] == [
        (ids, 2 * len(ids)) for ids in documents
    ]
    assert shards.documents == len(documents)
    assert shards.bytes == 2 * shards.tokens == 2 * sum(map(len, documents))


@given(DOCUMENTS, st.integers(1, 100), st.data())
def test_any_stretch_reads_across_shards(tmp_path_factory, documents, shard_tokens, data):
    shards = shards_of(tmp_path_factory.mktemp("s"), documents, shard_tokens)
    start = data.draw(st.integers(0, shards.tokens))
    stop = data.draw(st.integers(start, shards.tokens))
    assert shards.read(start, stop).tolist() == list(itertools.chain.from_iterable(documents))[start:stop]


@given(DOCUMENTS, st.integers(1, 100))
def test_every_token_knows_its_document(tmp_path_factory, documents, shard_tokens):
    shards = shards_of(tmp_path_factory.mktemp("s"), documents, shard_tokens)
    expected = [number for number, ids in enumerate(documents) for _ in ids]
    assert shards.document_of(np.arange(shards.tokens)).tolist() == expected


def test_a_small_vocabulary_takes_two_bytes_a_token_and_a_large_one_four(tmp_path):
    for vocab_size, width in ((65_536, 2), (65_537, 4)):
        folder = tmp_path / str(width)
        folder.mkdir()
        shards = shards_of(folder, [[0, vocab_size - 1]], vocab_size=vocab_size)
        assert shards.shards[0].ids.itemsize == width
        assert shards.read(0, 2).tolist() == [0, vocab_size - 1]


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), which=st.integers(0, 2))
def test_any_flipped_bit_is_found(tmp_path_factory, written, where, bit, which):
    folder, path = copied(written, tmp_path_factory, which)
    data = bytearray(path.read_bytes())
    data[int(where * len(data))] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(Corrupt):
        Shards.open(folder, "train")


@given(where=st.floats(0, 1, exclude_max=True), which=st.integers(0, 2))
def test_a_truncated_shard_is_found_even_unverified(tmp_path_factory, written, where, which):
    folder, path = copied(written, tmp_path_factory, which)
    path.write_bytes(path.read_bytes()[: int(where * path.stat().st_size)])
    with pytest.raises(Corrupt):
        Shards.open(folder, "train", verify=False)


def test_a_damaged_payload_opens_only_when_unverified(tmp_path_factory, written):
    folder, path = copied(written, tmp_path_factory, 1)
    data = bytearray(path.read_bytes())
    data[130] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupt, match=r"00001\.tokens: its content does not match its checksum; run"):
        Shards.open(folder, "train")
    assert Shards.open(folder, "train", verify=False).documents == 8


def test_another_version_is_named(tmp_path_factory, written):
    folder, path = copied(written, tmp_path_factory, 0)
    data = bytearray(path.read_bytes())
    data[8:12] = struct.pack("<I", 2)
    data[120:128] = struct.pack("<Q", xxhash.xxh3_64_intdigest(bytes(data[:120])))
    path.write_bytes(data)
    with pytest.raises(Corrupt, match="is a shard of version 2, this program reads version 1"):
        Shards.open(folder, "train")


def test_a_lost_shard_is_named(tmp_path_factory, written):
    folder, path = copied(written, tmp_path_factory, 1)
    path.unlink()
    with pytest.raises(BadInput, match=r"train-00001\.tokens: no such file"):
        Shards.open(folder, "train")


def test_swapped_shards_are_found(tmp_path_factory, written):
    folder, path = copied(written, tmp_path_factory, 0)
    path.write_bytes((folder / "train-00001.tokens").read_bytes())
    with pytest.raises(Corrupt, match=r"not the file that tokens\.json lists"):
        Shards.open(folder, "train")


def test_shards_of_another_tokenizer_are_refused(written):
    with pytest.raises(BadInput, match="made by tokenizer abababababab, not cdcdcdcdcdcd"):
        Shards.open(written, "train", fingerprint="cd" * 32)


def test_a_split_that_is_not_listed_is_named(written):
    with pytest.raises(Corrupt, match="does not list the shards of 'heldout'"):
        Shards.open(written, "heldout")


@pytest.mark.parametrize("index", ["[]", "{}", '{"splits": {"train": {"shards": [{"file": 1}]}}}', "{"])
def test_a_damaged_index_is_refused(tmp_path, index):
    (tmp_path / "tokens.json").write_text(index)
    with pytest.raises(Corrupt):
        Shards.open(tmp_path, "train")


@pytest.mark.parametrize("content", [b"", b"x", b"NWTOKENS", bytes(128), b"\x89PNG" * 100])
def test_another_file_is_not_taken_for_a_shard(tmp_path, content):
    (tmp_path / "a.tokens").write_bytes(content)
    with pytest.raises(Corrupt):
        Shard(tmp_path / "a.tokens")


def copied(folder: Path, factory, which: int) -> tuple[Path, Path]:
    """A copy of a folder of shards, and the path of one of them."""
    copy = factory.mktemp("copy") / "tokens"
    shutil.copytree(folder, copy)
    listed = json.loads((copy / "tokens.json").read_text())["splits"]["train"]["shards"]
    return copy, copy / listed[which]["file"]
