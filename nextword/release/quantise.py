"""Numbers in fewer bits: the tensor types we write, bit for bit those of llama.cpp's reference.

    type   bits a weight   a block is
    F32    32
    F16    16              IEEE half: 10 bits of fraction, largest 65504
    BF16   16              the upper half of a float: its range, 7 bits of fraction, rounded to even
    Q8_0   8.5             32 weights w = d q;        d = max|w| / 127 in half, q in -127..127
    Q4_0   4.5             32 weights w = d (q - 8);  d = w_max / -8 in half, q in 0..15

In Q4_0 the weight of largest magnitude gets q = 0, the one code that reaches -8: sixteen codes cannot be
symmetric around zero, and this spends the odd one where it matters. The arithmetic is `gguf.quants`
(numpy, about 100 million weights a second on one core); K-quants are left to `llama-quantize`, which reads
our F32 or BF16 file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType
from gguf.quants import dequantize, quantize

from nextword.common.errors import BadInput

FILE_TYPES = {
    "F32": LlamaFileType.ALL_F32,
    "F16": LlamaFileType.MOSTLY_F16,
    "BF16": LlamaFileType.MOSTLY_BF16,
    "Q8_0": LlamaFileType.MOSTLY_Q8_0,
    "Q4_0": LlamaFileType.MOSTLY_Q4_0,
}
"""What a release may be asked for, and the number that stands for it in `general.file_type`."""

SMALLEST = 4e-37
"""Weights nearer to zero than this are zero in every block type."""


def tensor_type(name: str) -> GGMLQuantizationType:
    """The type a person named; BadInput lists those we write."""
    if name.upper() not in FILE_TYPES:
        raise BadInput(f"unknown tensor type {name!r}", do=f"choose from {', '.join(FILE_TYPES)}")
    return GGMLQuantizationType[name.upper()]


def choose_type(
    shape: Sequence[int], wanted: GGMLQuantizationType, is_head: bool = False
) -> GGMLQuantizationType:
    """The type one tensor gets in a file that is mostly `wanted`.

    1. Vectors (norms, biases, rope factors) stay F32: they are few, and every weight of a row leans on them.
    2. A 4-bit file keeps its head, tied or not, in Q8_0, as llama-quantize keeps it in Q6_K: its rounding
       goes straight into the logits.
    3. Rows that do not divide into blocks of 32 become F16.
    """
    if len(shape) < 2:
        return GGMLQuantizationType.F32
    if is_head and wanted == GGMLQuantizationType.Q4_0:
        wanted = GGMLQuantizationType.Q8_0
    block, _ = GGML_QUANT_SIZES[wanted]
    return wanted if shape[-1] % block == 0 else GGMLQuantizationType.F16


def size_in_bytes(shape: Sequence[int], type: GGMLQuantizationType) -> int:
    """Bytes of a tensor of this shape and type."""
    block, bytes_a_block = GGML_QUANT_SIZES[type]
    count = 1
    for size in shape:
        count *= size
    return count // block * bytes_a_block


def quantise(
    values: npt.NDArray[np.float32], type: GGMLQuantizationType, name: str = "tensor"
) -> npt.NDArray[np.generic]:
    """float32 (..., C) -> the tensor as it lies in the file; BadInput when a value has no place there."""
    if not np.isfinite(values).all():
        raise BadInput(
            "holds values that are not numbers (NaN or infinity)",
            where=name,
            do="its training diverged: release an earlier checkpoint",
        )
    largest = float(np.abs(values).max(initial=0))
    limit = {GGMLQuantizationType.Q8_0: 127 * 65504.0, GGMLQuantizationType.Q4_0: 8 * 65504.0}.get(
        type, 65504.0 if type == GGMLQuantizationType.F16 else np.inf
    )
    if largest > limit:
        raise BadInput(f"{largest:.3g} does not fit {type.name}", where=name, do="release it as BF16 or F32")
    if type in (GGMLQuantizationType.Q8_0, GGMLQuantizationType.Q4_0):
        # A block this small has a scale that is 0 in half precision, and a reciprocal that overflows.
        values = np.where(np.abs(values) < SMALLEST, np.float32(0), values)
    packed: npt.NDArray[np.generic] = quantize(values, type)
    return packed


def dequantise(packed: npt.NDArray[np.generic], type: GGMLQuantizationType) -> npt.NDArray[np.float32]:
    """The tensor as it lies in the file -> float32, exactly what run.c and llama.cpp multiply with."""
    values: npt.NDArray[np.float32] = dequantize(packed, type)
    return values
