"""A file that is still coming: what is on the disk of it, under a name that tells what it is a part of.

    .NAME.KEY.part      what came so far; KEY is of the expected hash, or of what the server says it has
    NAME                the whole file, verified, flushed and renamed

A rest may only be put to a part of the same file, so a part of another key is of no use and goes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nextword.common.errors import Failure
from nextword.common.files import sync_folder

GO_ON = "run the same command: it continues where it was cut"


@dataclass(frozen=True)
class Expected:
    """What a file must be; unknown is None or "". Small files have git's own hash, large ones SHA-256."""

    size: int | None = None
    sha256: str = ""
    git_sha1: str = ""

    @property
    def is_known(self) -> bool:
        """Whether there is a hash to check."""
        return bool(self.sha256 or self.git_sha1)


class PartFile:
    """What came so far: on the disk, and hashed."""

    def __init__(self, path: Path) -> None:
        self.path, self.size, self._digest = path, 0, hashlib.sha256()
        self._file: IO[bytes] | None = None
        if path.exists():
            with path.open("rb") as file:
                while piece := file.read(1 << 20):
                    self._digest.update(piece)
                    self.size += len(piece)

    @property
    def sha256(self) -> str:
        """Of what came so far, hexadecimal."""
        return self._digest.hexdigest()

    @property
    def git_sha1(self) -> str:
        """What git calls a file of this content (hash of a header and the bytes)."""
        digest = hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
        if not self.size:  # nothing was written, perhaps not even the file
            return digest.hexdigest()
        with self.path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        return digest.hexdigest()

    def write(self, piece: bytes) -> None:
        """Add to it."""
        with self._writing():
            if self._file is None:
                self._file = self.path.open("ab", buffering=0)
            view = memoryview(piece)
            while view:
                written = self._file.write(view)
                self._digest.update(view[:written])
                self.size, view = self.size + written, view[written:]

    def restart(self) -> None:
        """Forget what came."""
        self.close()
        with self._writing():
            self.path.write_bytes(b"")
        self.size, self._digest = 0, hashlib.sha256()

    def remove(self) -> None:
        """Leave nothing on the disk."""
        self.close()
        self.path.unlink(missing_ok=True)

    def become(self, place: Path) -> None:
        """The whole file, safe on the disk, under its own name."""
        with self._writing():
            if self._file is None:
                self._file = self.path.open("ab", buffering=0)  # an empty file has no piece that opened it
            os.fsync(self._file.fileno())
            self.close()
            self.path.replace(place)
            sync_folder(place.parent)

    def close(self) -> None:
        """Keep what came for another day."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"cannot be written ({error.strerror or error})"
            raise Failure(what, where=self.path, do=f"free some space; then {GO_ON}") from error


def part_of(place: Path, key: str) -> PartFile:
    """The part of a file's state that is known by this key; parts of other states are removed."""
    name = f".{place.name}.{hashlib.sha256(key.encode()).hexdigest()[:16]}.part"
    for other in parts_of(place):
        if other.name != name:
            other.unlink()
    return PartFile(place.with_name(name))


def parts_of(place: Path) -> list[Path]:
    """What lies on the disk of a file that is still coming."""
    return list(place.parent.glob(f".{_literal(place.name)}.*.part"))


def fault_of(part: PartFile, expected: Expected) -> str:
    """What is wrong with a whole file, "" for nothing."""
    if expected.size is not None and part.size != expected.size:
        return f"is {part.size:,} bytes long, expected {expected.size:,}"
    if expected.sha256 and part.sha256 != expected.sha256:
        return "its SHA-256 is not the one it should have"
    if expected.git_sha1 and part.git_sha1 != expected.git_sha1:
        return "its hash is not the one it should have"
    return ""


def _literal(name: str) -> str:
    """A name in which no character is a wildcard."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
