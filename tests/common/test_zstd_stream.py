"""A Zstandard stream is whole, or an error."""

import io

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from nextword.common.zstd_stream import open_zstd


def unpacked(packed: bytes) -> bytes:
    return open_zstd(io.BytesIO(packed)).read()


@given(st.lists(st.binary(max_size=20_000), max_size=4))
def test_frames_one_after_another_come_back(pieces):
    assert unpacked(b"".join(zstandard.compress(piece) for piece in pieces)) == b"".join(pieces)


@given(st.binary(min_size=1, max_size=300), st.integers(1, 400))
def test_a_truncated_stream_is_never_taken_for_whole(content, cut):
    packed = zstandard.compress(content)
    with pytest.raises(EOFError):
        unpacked(packed[: -min(cut, len(packed) - 1)])


def test_a_stream_cut_between_two_blocks_is_noticed():
    content = b"".join(b"%d\n" % number for number in range(200_000))
    packed = zstandard.compress(content)
    for end in range(len(packed) - 2000, len(packed), 97):
        with pytest.raises(EOFError):
            unpacked(packed[:end])


def test_junk_is_an_error():
    with pytest.raises(zstandard.ZstdError):
        unpacked(b"not zstandard")


def test_nothing_is_nothing():
    assert unpacked(b"") == b""


def test_lines_are_read_lazily():
    packed = zstandard.compress(b"one\ntwo\n" * 1000)
    assert open_zstd(io.BytesIO(packed)).readline() == b"one\n"
