"""`tokenizer.model`: SentencePiece's protobuf, as far as a GGUF needs it.

Of the message ModelProto (sentencepiece_model.proto) we read `pieces` (field 1: text 1, score 2, type 3) and
of `normalizer_spec` (field 3) `add_dummy_prefix` (field 3). Everything else is skipped by its wire type, so
no protobuf library is needed for eighty lines of a format that does not change.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nextword.common.errors import BadInput, Corrupt

NORMAL = 1
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
BPE = 2


@dataclass(frozen=True)
class Piece:
    """One token. `type` is SentencePiece's, whose numbers GGUF took over (1 normal … 6 byte)."""

    text: str
    score: float
    type: int


@dataclass(frozen=True)
class SentencePieceModel:
    """The pieces in the order of their ids, and whether a space is put before the text."""

    pieces: list[Piece] = field(default_factory=list)
    add_dummy_prefix: bool = True


def read_sentencepiece(path: Path) -> SentencePieceModel:
    """Read tokenizer.model; BadInput when its algorithm is not BPE, Corrupt when it does not parse."""
    try:
        return _model(path.read_bytes(), path)
    except FileNotFoundError as error:
        raise BadInput("no such file", where=path) from error
    except (IndexError, ValueError, OSError, struct.error) as error:
        raise Corrupt(f"not a SentencePiece model ({error})", where=path, do="copy it again") from error


def _model(data: bytes, path: Path) -> SentencePieceModel:
    pieces, prefix, algorithm = [], True, 1
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            pieces.append(_piece(value))
        elif number == 2 and isinstance(value, bytes):
            algorithm = next((v for n, v in _fields(value) if n == 3 and isinstance(v, int)), algorithm)
        elif number == 3 and isinstance(value, bytes):
            prefix = bool(next((v for n, v in _fields(value) if n == 3), prefix))
    if not pieces:
        raise ValueError("it has no pieces")
    if algorithm != BPE:
        raise BadInput(f"its algorithm is number {algorithm}, we write BPE (2) only", where=path)
    return SentencePieceModel(pieces, prefix)


def _piece(data: bytes) -> Piece:
    text, score, type = "", 0.0, NORMAL
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            text = value.decode("utf-8")
        elif number == 2 and isinstance(value, float):
            score = value
        elif number == 3 and isinstance(value, int):
            type = value
    if not 1 <= type <= 6:
        raise ValueError(f"a piece of type {type}")
    return Piece(text, score, type)


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """(field number, value) of one message: integers, 32-bit floats, and bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
            yield key >> 3, struct.unpack_from("<f" if size == 4 else "<d", data, at)[0]
            at += size
        elif wire == BYTES:
            size, at = _varint(data, at)
            if size > len(data) - at:
                raise ValueError("truncated")
            yield key >> 3, data[at : at + size]
            at += size
        else:
            raise ValueError(f"wire type {wire}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, the place after it): seven bits a byte, low ones first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at + shift // 7]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + shift // 7 + 1
    raise ValueError("a number of more than ten bytes")
