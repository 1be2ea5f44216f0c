"""Reading Zstandard as a stream that is whole: zstandard's own reader takes a truncated file for its end."""

from __future__ import annotations

import io
from typing import IO

import zstandard

PIECE = 4096
"""Packed bytes at a time: few, since a hostile 4 KiB unpacks to 128 MiB."""


class ZstdStream(io.RawIOBase):
    """The unpacked bytes of one or more frames. EOFError when the last is cut, ZstdError when one is bad."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._is_inside = False  # a frame has begun and not ended
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Always; it is a stream to read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with what is ready; 0 at the end."""
        while not self._ready and self._unpack():
            pass
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _unpack(self) -> bool:
        """Unpack one more piece; False at the end of the file."""
        piece = self._frame.unused_data if self._frame.eof else b""
        if self._frame.eof:
            self._frame, self._is_inside = zstandard.ZstdDecompressor().decompressobj(), False
        piece = piece or self._packed.read(PIECE)
        if not piece:
            if self._is_inside:
                raise EOFError("the file ends inside a Zstandard frame")
            return False
        self._is_inside = True
        self._ready = memoryview(self._frame.decompress(piece))
        return True


def open_zstd(packed: IO[bytes]) -> io.BufferedReader:
    """The unpacked bytes of a packed stream, buffered."""
    return io.BufferedReader(ZstdStream(packed), 1 << 17)
