"""Every format reads as the `gguf` package reads it; every vector kernel gives what plain C gives."""

import ctypes
import platform
from pathlib import Path

import gguf
import numpy as np
import pytest

Type = gguf.GGMLQuantizationType
FORMATS = [Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_K, Type.Q6_K]
FLAGS = {
    "avx2": ("avx2", "fma", "f16c"),
    "avx512": ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"),
}


def vector_sets():
    if platform.machine() in ("aarch64", "arm64"):
        return ["neon"]
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = set(next(line for line in lines if line.startswith("flags")).split())
    except (OSError, StopIteration):
        return []
    return [name for name, wanted in FLAGS.items() if flags.issuperset(wanted)]


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def unpack(library, kind, row, cols):
    out = np.empty(cols, np.float32)
    library.nw_unpack(int(kind), pointer(row), cols, pointer(out))
    return out


def multiply(library, monkeypatch, kernels, kind, raw, cols, x):
    monkeypatch.setenv("NEXTWORD_KERNELS", kernels)
    out = np.empty((len(x), len(raw)), np.float32)
    assert library.nw_multiply(int(kind), pointer(raw), len(raw), cols, pointer(x), len(x), pointer(out)) == 0
    return out


def random_rows(tools, kind, rows, cols, seed=0):
    raw = tools.random_blocks(rows, cols, kind, np.random.default_rng(seed), 1.0)
    return np.ascontiguousarray(raw)


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
def test_a_row_unpacks_as_the_gguf_package_does(library, tools, kind):
    raw = random_rows(tools, kind, 8, 512)
    expected = gguf.dequantize(raw, kind).reshape(8, 512)
    for row in range(8):
        np.testing.assert_allclose(unpack(library, kind, raw[row], 512), expected[row], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [Type.Q8_0, Type.Q4_0, Type.Q4_K, Type.Q6_K], ids=lambda kind: kind.name)
def test_any_bytes_at_all_unpack_as_the_gguf_package_does(library, kind):
    size = gguf.GGML_QUANT_SIZES[kind]
    raw = np.random.default_rng(1).integers(0, 256, (64, size[1]), dtype=np.uint8)
    with np.errstate(all="ignore"):
        expected = gguf.dequantize(raw, kind).reshape(64, size[0])
    ours = np.stack([unpack(library, kind, row, size[0]) for row in raw])
    finite = np.isfinite(expected)
    np.testing.assert_allclose(ours[finite], expected[finite], rtol=1e-5, atol=1e-5)
    assert not np.isfinite(ours[~finite]).any()


def test_every_half_float_is_read_exactly(library):
    halves = np.arange(65536, dtype=np.uint16)
    expected = halves.view(np.float16).astype(np.float32)
    np.testing.assert_array_equal(unpack(library, Type.F16, halves, 65536), expected)


@pytest.mark.parametrize("kernels", vector_sets())
@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("tokens", [1, 3, 7, 12, 40])
def test_vector_kernels_equal_plain_c(library, tools, monkeypatch, kernels, kind, tokens):
    raw = random_rows(tools, kind, 37, 768, seed=tokens)
    x = np.random.default_rng(2).standard_normal((tokens, 768)).astype(np.float32)
    plain = multiply(library, monkeypatch, "scalar", kind, raw, 768, x)
    vector = multiply(library, monkeypatch, kernels, kind, raw, 768, x)
    np.testing.assert_allclose(vector, plain, rtol=1e-4, atol=1e-4 * np.abs(plain).max())


@pytest.mark.parametrize("kernels", vector_sets())
@pytest.mark.parametrize("cols", [1, 7, 16, 33, 100])
def test_rows_of_any_length_of_floats_are_summed_whole(library, monkeypatch, kernels, cols):
    rng = np.random.default_rng(cols)
    raw, x = (rng.standard_normal((n, cols)).astype(np.float32) for n in (5, 9))
    for tokens in (1, 9):
        out = multiply(library, monkeypatch, kernels, Type.F32, raw, cols, x[:tokens].copy())
        np.testing.assert_allclose(out, x[:tokens] @ raw.T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernels", ["scalar", *vector_sets()])
def test_int8_products_do_not_overflow_at_their_extremes(library, monkeypatch, kernels):
    block = np.concatenate(
        [np.array([1.0], np.float16).view(np.uint8), np.full(32, 128, np.uint8)]
    )  # all -128
    raw = np.tile(block, (3, 8)).copy()
    for tokens in (1, 16):
        x = np.ones((tokens, 256), np.float32)
        out = multiply(library, monkeypatch, kernels, Type.Q8_0, raw, 256, x)
        np.testing.assert_allclose(out, -128.0 * 256, rtol=1e-6)


@pytest.mark.parametrize("kernels", ["scalar", *vector_sets()])
@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
def test_what_is_not_a_number_stays_visible(library, tools, monkeypatch, kernels, kind):
    raw = random_rows(tools, kind, 3, 256)
    x = np.ones((8, 256), np.float32)
    x[:, 100] = np.nan
    assert np.isnan(multiply(library, monkeypatch, kernels, kind, raw, 256, x)).all()
    assert np.isnan(multiply(library, monkeypatch, kernels, kind, raw, 256, x[:1].copy())).all()


@pytest.mark.parametrize("kernels", ["scalar", *vector_sets()])
def test_zero_weights_and_zero_inputs_give_zero(library, monkeypatch, kernels):
    raw = np.zeros((4, 34 * 4), np.uint8)
    for x in (np.zeros((1, 128), np.float32), np.ones((7, 128), np.float32)):
        assert not multiply(library, monkeypatch, kernels, Type.Q8_0, raw, 128, x).any()
