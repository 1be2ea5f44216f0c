"""The file: whole or absent, read back strictly."""

import contextlib
import hashlib
import resource
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, dequantize
from hypothesis import given, settings
from hypothesis import strategies as st

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.common.progress import Progress
from nextword.release import inspect
from nextword.release.parameters import write_parameters


@pytest.fixture(scope="module")
def gguf(folder, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_parameters(folder, path, "Q8_0", Progress("release"))
    return path


def test_the_gguf_packages_own_reader_finds_the_weights_within_a_rounding(gguf, folder, folders):
    model = folders.seeded_model(folders.CASES["llama-tied"])
    found = {tensor.name: tensor for tensor in GGUFReader(gguf).tensors}
    down = found["blk.1.ffn_down.weight"]
    values = dequantize(down.data, down.tensor_type)
    wanted = model.get_parameter("model.layers.1.mlp.down_proj.weight").detach().numpy()
    assert np.abs(values - wanted).max() < 0.25 / 127


def test_inspect_agrees_with_the_gguf_packages_own_reader(gguf):
    theirs, ours = GGUFReader(gguf), inspect(gguf)
    assert {
        name: field.contents() for name, field in theirs.fields.items() if "GGUF." not in name
    } == ours.keys
    assert [
        (t.name, t.data_offset, t.n_bytes, tuple(reversed(t.shape.tolist()))) for t in theirs.tensors
    ] == [(tensor.name, tensor.offset, tensor.size, tensor.shape) for tensor in ours.tensors]


def test_the_same_checkpoint_gives_the_same_file(gguf, folder, tmp_path):
    again = tmp_path / "tiny.gguf"
    write_parameters(folder, again, "Q8_0", Progress("release"))
    assert again.read_bytes() == gguf.read_bytes()


def test_the_sha256_returned_is_the_files(folder, tmp_path):
    written = write_parameters(folder, tmp_path / "a.gguf", "F16", Progress("release"))
    assert written.sha256 == hashlib.sha256((tmp_path / "a.gguf").read_bytes()).hexdigest()


def test_verify_passes_on_a_whole_file_and_finds_one_flipped_bit(gguf, tmp_path):
    inspect(gguf, verify=True)
    data = bytearray(gguf.read_bytes())
    data[-1000] ^= 4
    (tmp_path / "flipped.gguf").write_bytes(data)
    with pytest.raises(Corrupt, match=r"its weights are not those that were written; copy it again"):
        inspect(tmp_path / "flipped.gguf", verify=True)


@settings(deadline=None, max_examples=150)
@given(st.floats(0, 0.999))
def test_a_file_cut_anywhere_is_refused_in_one_line(gguf, tmp_path_factory, part):
    data = gguf.read_bytes()
    path = tmp_path_factory.mktemp("cut") / "cut.gguf"
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(BadInput) as refused:
        inspect(path)
    assert "\n" not in str(refused.value)


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_a_header_altered_anywhere_is_refused_or_read_but_never_breaks_the_reader(
    gguf, tmp_path_factory, data
):
    whole = bytearray(gguf.read_bytes())
    end = inspect(gguf).data_offset
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("altered") / "altered.gguf"
    path.write_bytes(whole)
    with contextlib.suppress(BadInput):
        inspect(path)


@pytest.mark.parametrize("bit", range(64))
def test_a_tensor_count_with_a_flipped_bit_is_refused_in_one_line(gguf, tmp_path, bit):
    data = bytearray(gguf.read_bytes())
    data[8 + bit // 8] ^= 1 << bit % 8
    path = tmp_path / "flipped.gguf"
    path.write_bytes(data)
    with pytest.raises(BadInput, match="the file is damaged: copy it again") as refused:
        inspect(path)
    assert "\n" not in str(refused.value)


def test_bytes_that_belong_to_no_tensor_are_refused_but_not_the_last_padding(gguf, tmp_path):
    path = tmp_path / "longer.gguf"
    path.write_bytes(gguf.read_bytes() + bytes(31))
    assert inspect(path).tensors == inspect(gguf).tensors
    path.write_bytes(gguf.read_bytes() + bytes(64))
    with pytest.raises(Corrupt, match="64 bytes of the data belong to no tensor"):
        inspect(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a GGUF file"),
        (b"PK\x03\x04 something else", "not a GGUF file; export one with `nextword release`"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "GGUF version 1, we read 2 and 3"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "1,152,921,504,606,846,976 tensors are said to be"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "1,152,921,504,606,846,976 keys are said to be"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + bytes(7), "tensors are said to be in a file of 31 bytes"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", 99) + bytes(24), "truncated"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62) + bytes(5), "truncated"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"a", 9, 4, 1 << 62), "truncated"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"a", 99), "unknown value type 99"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"\xff", 0), "a name that is not UTF-8"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + struct.pack("<Q1sIB", 1, b"a", 0, 7) * 2, "appears twice"),
    ],
)
def test_each_damage_is_named(tmp_path, data, reason):
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=reason):
        inspect(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.gguf: no such file"):
        inspect(tmp_path / "nowhere.gguf")


def test_a_full_disk_ends_in_one_line_and_leaves_the_previous_file(folder, tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"the previous one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(Failure, match=r"cannot be written .*; .*the previous file is untouched"):
            write_parameters(folder, path, "F32", Progress("release"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"the previous one"
    assert [file.name for file in tmp_path.iterdir()] == ["model.gguf"]


MEMORY = """
import sys, threading
from pathlib import Path
from nextword.common.progress import Progress
from nextword.release.parameters import write_parameters
import nextword.model.checkpoint
def anonymous():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))
before = most = anonymous()
ended = threading.Event()
def watch():
    global most
    while not ended.wait(0.003):
        most = max(most, anonymous())
watching = threading.Thread(target=watch)
watching.start()
write_parameters(Path(sys.argv[1]), Path(sys.argv[2]), "Q8_0", Progress("release"))
ended.set()
watching.join()
print((most - before) * 1024)
"""


@pytest.mark.slow
def test_releasing_takes_the_memory_of_a_few_tensors_not_of_the_model(folders, tmp_path):
    wide = folders.SMALL | {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
    wide |= {"num_attention_heads": 16, "num_key_value_heads": 16, "head_dim": 64}
    folder = folders.write_folder(tmp_path / "wide", type(folders.CASES["llama-tied"])(**wide))
    command = [sys.executable, "-c", MEMORY, str(folder), str(tmp_path / "wide.gguf")]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < 0.25 * (folder / "model.safetensors").stat().st_size
