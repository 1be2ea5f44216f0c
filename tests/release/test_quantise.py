"""Fewer bits, the same bits as llama.cpp."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nextword.common.errors import BadInput
from nextword.release.quantise import choose_type, dequantise, quantise, size_in_bytes, tensor_type

GOLDEN = Path(__file__).parent / "golden" / "quantise.json"
Q8_0, Q4_0, F16 = GGMLQuantizationType.Q8_0, GGMLQuantizationType.Q4_0, GGMLQuantizationType.F16
blocks = arrays.arrays(np.float32, (3, 64), elements=st.floats(-100, 100, width=32))


@pytest.mark.parametrize("name", ["Q8_0", "Q4_0"])
def test_quantised_bits_are_those_of_llama_cpp(name):
    golden = json.loads(GOLDEN.read_text())
    values = np.random.RandomState(golden["seed"]).randint(-(10**6), 10**6, (golden["rows"], 256))
    packed = quantise(values.astype(np.float32) / 2**20, tensor_type(name))
    assert hashlib.sha256(packed.tobytes()).hexdigest() == golden[name]


@given(blocks)
def test_q8_0_is_never_further_off_than_its_step_and_the_rounding_of_its_scale(values):
    step = np.abs(values.reshape(-1, 32)).max(axis=1, keepdims=True) / 127
    error = np.abs(dequantise(quantise(values, Q8_0), Q8_0) - values).reshape(-1, 32)
    assert (error <= 0.5 * step + 127 * (step * 2**-11 + 2**-25) + 1e-6).all()


@given(blocks)
def test_q4_0_is_never_further_off_than_its_step(values):
    step = np.abs(values.reshape(-1, 32)).max(axis=1, keepdims=True) / 8
    error = np.abs(dequantise(quantise(values, Q4_0), Q4_0) - values).reshape(-1, 32)
    assert (error <= 1.01 * step + 1e-6).all()  # the far end of the other sign is cut by one step


def test_numbers_too_small_for_a_scale_become_zero():
    values = np.full((1, 32), 1e-44, np.float32)
    for type in (Q8_0, Q4_0):
        assert not dequantise(quantise(values, type), type).any()


def test_a_weight_that_is_not_a_number_is_refused_by_its_tensors_name():
    values = np.array([[1, float("nan")]], np.float32)
    with pytest.raises(BadInput, match=r"blk\.0\.attn_q\.weight: holds values that are not numbers"):
        quantise(values, GGMLQuantizationType.F32, "blk.0.attn_q.weight")


def test_a_weight_too_large_for_half_precision_is_refused_rather_than_made_infinite():
    with pytest.raises(BadInput, match="does not fit F16; release it as BF16"):
        quantise(np.array([[70000.0]], np.float32), F16)


def test_an_unknown_type_is_refused_with_those_we_write():
    with pytest.raises(BadInput, match="choose from F32, F16, BF16, Q8_0, Q4_0"):
        tensor_type("Q4_K")


def test_vectors_stay_in_single_precision():
    assert choose_type((64,), Q4_0) == GGMLQuantizationType.F32


def test_the_head_of_a_four_bit_file_has_eight():
    assert choose_type((512, 64), Q4_0, is_head=True) == Q8_0


def test_rows_that_do_not_divide_into_blocks_become_half_precision():
    assert choose_type((64, 40), Q8_0) == F16


def test_sizes_count_whole_blocks():
    assert size_in_bytes((4, 64), Q8_0) == 4 * 2 * 34
    assert size_in_bytes((4, 64), Q4_0) == 4 * 2 * 18
