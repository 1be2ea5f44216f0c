"""The GGUF file: written tensor by tensor, read back strictly.

    magic "GGUF", version 3, tensor count, key count
    keys       name, type, value: the shape, the tokenizer, who made it
    tensors    name, dimensions (innermost first), type, offset
    data       each tensor at a multiple of 32 bytes

Writing holds one tensor in memory at a time, so a 140 GB file needs what its embedding needs. The writer is
the `gguf` package's. A file of ours also carries `nextword.data_sha256`, so that a bit that flipped in the
weights, which no reader would notice, can be found (`inspect(path, verify=True)`).

The reader is our own sixty lines: the `gguf` package's trusts its file (a damaged array length makes it loop
for hours), and what people are handed must end in one clear line. It reads the header and maps nothing else.
Specification: github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import written_atomically
from nextword.common.progress import Progress
from nextword.release.architecture import Placement
from nextword.release.quantise import quantise, size_in_bytes

CHECKSUM = "nextword.data_sha256"
ALIGNMENT = 32
MAX_DIMENSIONS = 4
ENTRY_BYTES, KEY_BYTES = 24, 13
"""The least that a tensor's and a key's place in the header can take."""
STRING, ARRAY, BOOL = 8, 9, 7
SCALARS = {0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "<u1"}
SCALARS |= {10: "<u8", 11: "<i8", 12: "<f8"}


@dataclass(frozen=True)
class Tensor:
    """One tensor's place: shape as in numpy (rows first), offset from the start of the file, in bytes."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    offset: int
    size: int


@dataclass(frozen=True)
class Inspection:
    """What a GGUF file says of itself."""

    version: int
    keys: dict[str, Any]
    """Numbers, texts, and arrays of either."""
    tensors: list[Tensor]
    data_offset: int
    size: int

    @property
    def parameters(self) -> int:
        """How many weights the tensors hold."""
        return sum(int(np.prod(tensor.shape, dtype=object)) for tensor in self.tensors)


def write_gguf(
    path: Path,
    architecture: str,
    add_keys: Callable[[GGUFWriter], None],
    placements: Sequence[Placement],
    read: Callable[[Placement], npt.NDArray[np.float32]],
    progress: Progress,
) -> str:
    """Write a GGUF file atomically and read its header back; returns the file's SHA-256.

    `read` gives a placement's values in float32; each is quantised and written before the next is read.
    Raises Failure when the disk is full, BadInput when a value has no place in its type.
    """
    with written_atomically(path) as file:
        writer = GGUFWriter(file.name, architecture)
        try:
            add_keys(writer)
            writer.add_string(CHECKSUM, "0" * 64)
            for placed in placements:
                size = size_in_bytes(placed.shape, placed.type)
                writer.add_tensor_info(placed.name, placed.shape, np.dtype(np.float32), size, placed.type)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            for placed in placements:
                writer.write_tensor_data(quantise(read(placed), placed.type, placed.name))
                progress.advance(facts=placed.name)
        finally:
            writer.close()
        written = inspect(Path(file.name))
        assert [tensor.name for tensor in written.tensors] == [placed.name for placed in placements]
        _fill_checksum(Path(file.name), file, written.data_offset)
        return _sha256(Path(file.name), 0)


def inspect(path: Path, verify: bool = False) -> Inspection:
    """Read a GGUF file's keys and tensor table; with verify, also its data's checksum where it has one.

    Raises BadInput when it is not GGUF, Corrupt when it is truncated, altered, or of an unknown version.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = _read_header(_Cursor(data, path))
    except FileNotFoundError as error:
        raise BadInput("no such file", where=path) from error
    except (OSError, ValueError) as error:  # a folder, or an empty file
        raise BadInput(f"not a GGUF file ({error})", where=path) from error
    expected = found.keys.get(CHECKSUM)
    if verify and expected and _sha256(path, found.data_offset) != expected:
        raise Corrupt("its weights are not those that were written", where=path, do="copy it again")
    return found


def _fill_checksum(path: Path, file: IO[bytes], data_offset: int) -> None:
    """Replace the placeholder by the data's SHA-256: the keys lie before the data that they vouch for."""
    with path.open("rb") as written:
        at = written.read(data_offset).rindex(CHECKSUM.encode()) + len(CHECKSUM)
    file.seek(at + struct.calcsize("<IQ"))  # past the value's type and length
    file.write(_sha256(path, data_offset).encode())
    file.flush()


def _sha256(path: Path, start: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(start)
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


class _Cursor:
    """A place in the file that never leaves it."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self.data, self.path, self.at = data, path, 0

    def fail(self, what: str) -> Corrupt:
        return Corrupt(f"{what} at byte {self.at}", where=self.path, do="the file is damaged: copy it again")

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise self.fail(f"truncated: {size:,} more bytes expected")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, format: str) -> int:
        return int(struct.unpack("<" + format, self.take(struct.calcsize(format)))[0])

    def text(self, strict: bool = True) -> str:
        raw = self.take(self.number("Q"))
        try:
            return raw.decode("utf-8", "strict" if strict else "replace")
        except UnicodeDecodeError:
            raise self.fail("a name that is not UTF-8") from None

    def value(self, type: int) -> Any:
        if type == STRING:
            return self.text(strict=False)
        if type == ARRAY:
            return self.array()
        if type not in SCALARS:
            raise self.fail(f"unknown value type {type}")
        dtype = np.dtype(SCALARS[type])
        value = np.frombuffer(self.take(dtype.itemsize), dtype)[0].item()
        return bool(value) if type == BOOL else value

    def array(self) -> list[Any]:
        type, count = self.number("I"), self.number("Q")
        if type == STRING:
            return [self.text(strict=False) for _ in range(count)]
        if type not in SCALARS:
            raise self.fail(f"an array of unknown type {type}")
        dtype = np.dtype(SCALARS[type])
        values = np.frombuffer(self.take(count * dtype.itemsize), dtype)
        return (values != 0 if type == BOOL else values).tolist()  # type: ignore[no-any-return]


def _read_header(cursor: _Cursor) -> Inspection:
    if cursor.data[:4] != b"GGUF":
        raise BadInput("not a GGUF file", where=cursor.path, do="export one with `nextword release`")
    cursor.take(4)
    version = cursor.number("I")
    if version not in (2, 3):
        raise cursor.fail(f"GGUF version {version}, we read 2 and 3,")
    tensor_count, key_count = cursor.number("Q"), cursor.number("Q")
    for count, smallest, what in ((tensor_count, ENTRY_BYTES, "tensors"), (key_count, KEY_BYTES, "keys")):
        if count > (len(cursor.data) - cursor.at) // smallest:
            raise cursor.fail(f"{count:,} {what} are said to be in a file of {len(cursor.data):,} bytes,")
    keys: dict[str, Any] = {}
    for _ in range(key_count):
        name = cursor.text()
        if name in keys:
            raise cursor.fail(f"the key {name!r:.80} appears twice")
        keys[name] = cursor.value(cursor.number("I"))
    entries = [_read_entry(cursor) for _ in range(tensor_count)]
    alignment = keys.get("general.alignment", ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 8 or alignment & (alignment - 1):
        raise cursor.fail(f"general.alignment is {alignment!r:.80}, expected a power of two")
    start = -(-cursor.at // alignment) * alignment
    tensors = [_place(entry, start, alignment, cursor) for entry in entries]
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise cursor.fail("a tensor appears twice")
    _check_nothing_is_left(tensors, start, alignment, cursor)
    return Inspection(version, keys, tensors, start, len(cursor.data))


def _check_nothing_is_left(tensors: list[Tensor], start: int, alignment: int, cursor: _Cursor) -> None:
    """Tensors lie one after the other and fill the data: with one lost from the table they would not."""
    at = start
    for tensor in sorted(tensors, key=lambda tensor: tensor.offset):
        if not 0 <= tensor.offset - at < alignment:
            raise cursor.fail(
                f"{tensor.name!r:.80} does not follow the tensor before it, tensor table ending"
            )
        at = tensor.offset + tensor.size
    if (left := len(cursor.data) - at) >= alignment:
        raise cursor.fail(f"{left:,} bytes of the data belong to no tensor, tensor table ending")


def _read_entry(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name, dimensions = cursor.text(), cursor.number("I")
    if dimensions > MAX_DIMENSIONS:
        raise cursor.fail(f"{name!r:.80} has {dimensions} dimensions")
    shape = tuple(cursor.number("Q") for _ in range(dimensions))
    return name, shape[::-1], cursor.number("I"), cursor.number("Q")


def _place(
    entry: tuple[str, tuple[int, ...], int, int], start: int, alignment: int, cursor: _Cursor
) -> Tensor:
    name, shape, number, offset = entry
    if number not in list(GGMLQuantizationType):
        raise cursor.fail(f"{name!r:.80} is of unknown type {number}, tensor table ending")
    type = GGMLQuantizationType(number)
    block, _ = GGML_QUANT_SIZES[type]
    if (shape and shape[-1] % block) or 0 in shape or offset % alignment:
        raise cursor.fail(f"{name!r:.80} {shape} {type.name} cannot lie at {offset}, tensor table ending")
    size = size_in_bytes(shape, type)
    if start + offset + size > len(cursor.data):
        raise cursor.fail(f"truncated: {name!r:.80} ends past the end of the file, tensor table ending")
    return Tensor(name, shape, type, start + offset, size)
