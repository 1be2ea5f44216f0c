"""`run FILE --verify` holds the weights against the sum that `nextword release` wrote beside them."""

import hashlib
import re
import struct
import subprocess

import numpy as np
import pytest
from gguf import GGMLQuantizationType

from nextword.common.progress import Progress
from nextword.release.architecture import Placement
from nextword.release.gguf_file import inspect, write_gguf

KEY = b"nextword.data_sha256"
PIECE = 1 << 20  # what the program reads at once


def verify(program, path):
    done = subprocess.run([program, path, "--verify"], capture_output=True, text=True, check=False)
    assert done.returncode == (0 if done.stdout else 2)
    return done.stdout or done.stderr


def file_of(path, data, key=KEY, sum=None):
    """The smallest GGUF: one key and this data, with its true sum or the one given."""
    value = (hashlib.sha256(data).hexdigest() if sum is None else sum).encode()
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", len(key)) + key
    head += struct.pack("<IQ", 8, len(value)) + value
    path.write_bytes(head + bytes(-len(head) % 32) + data)
    return path


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """What `nextword release` writes, by its own writer."""
    path = tmp_path_factory.mktemp("released") / "model.gguf"
    weights = np.random.default_rng(0).standard_normal((64, 96)).astype(np.float32)
    place = Placement("token_embd.weight", "", weights.shape, GGMLQuantizationType.Q8_0)
    write_gguf(path, "llama", lambda writer: None, [place], lambda placed: weights, Progress("test"))
    return path


def test_a_released_file_is_found_whole(program, released):
    found = inspect(released).keys["nextword.data_sha256"]
    assert verify(program, released) == f"ok: the weights are those that were written (SHA-256 {found})\n"


@pytest.mark.parametrize("place", [0.0, 0.3, 0.77, 1.0])
@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_anywhere_in_the_weights_is_found(program, released, tmp_path, place, bit):
    raw, start = bytearray(released.read_bytes()), inspect(released).data_offset
    raw[start + round(place * (len(raw) - 1 - start))] ^= 1 << bit
    (tmp_path / "flipped.gguf").write_bytes(raw)
    line = verify(program, tmp_path / "flipped.gguf")
    assert line.endswith("flipped.gguf: its weights are not those that were written; copy it again\n")


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"\0"])
def test_a_byte_too_few_or_too_many_is_found(program, released, tmp_path, change):
    (tmp_path / "cut.gguf").write_bytes(change(released.read_bytes()))
    assert "not those that were written" in verify(program, tmp_path / "cut.gguf")


def test_a_file_without_a_checksum_says_that_nothing_was_compared(program, model_file):
    line = verify(program, model_file)
    assert "it carries no checksum (nextword.data_sha256)" in line and line.count("\n") == 1


@pytest.mark.parametrize("sum", ["0" * 64, "0", "A" * 65, "not a sum\x1b[2J"])
def test_a_sum_that_is_none_fits_nothing(program, tmp_path, sum):
    line = verify(program, file_of(tmp_path / "a.gguf", b"weights", sum=sum))
    assert "not those that were written" in line and "\x1b" not in line


@pytest.mark.parametrize(
    "size", [0, 1, 55, 56, 63, 64, 65, 119, 120, PIECE - 9, PIECE - 1, PIECE, PIECE + 57]
)
def test_the_sum_is_pythons_at_every_border_of_a_block(program, tmp_path, size):
    data = np.random.default_rng(size).bytes(size)
    line = verify(program, file_of(tmp_path / "a.gguf", data))
    assert re.search(r"SHA-256 (\w+)\)", line)[1] == hashlib.sha256(data).hexdigest()


def test_a_damaged_header_is_named_before_anything_is_summed(program, released, tmp_path):
    (tmp_path / "cut.gguf").write_bytes(released.read_bytes()[:100])
    assert "copy" in verify(program, tmp_path / "cut.gguf")


def test_an_answer_that_cannot_be_written_is_no_ok(program, released, need):
    with need("/dev/full").open("wb") as full:
        done = subprocess.run([program, released, "--verify"], stdout=full, stderr=-1, check=False)
    assert done.returncode == 2 and b"cannot be written" in done.stderr
