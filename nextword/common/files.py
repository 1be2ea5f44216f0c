"""Files that are either whole or absent.

Every output is written to a temporary name beside its place, flushed to the disk, and renamed: a reader never
sees half a file, a full disk never destroys the previous one, and `kill -9` leaves at most a `.part` behind.

A folder is replaced as a whole, so whoever writes one says which names are its own: a folder with anything
else in it, somebody's documents above all, is never replaced.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from nextword.common.errors import BadInput, Corrupt, Failure

LEFT_BEHIND = (".*.part", ".DS_Store")
"""Names that nobody misses: a killed writer's half file, a file browser's notes."""


@contextlib.contextmanager
def written_atomically(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary file that becomes `path` only if the block ends well.

    Raises Failure when the disk is full or the folder cannot be written; `path` then keeps its old content.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    encoding, errors = (None, None) if "b" in mode else ("utf-8", "backslashreplace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open(mode, encoding=encoding, errors=errors) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise Failure(
            f"cannot be written ({error.strerror or error})",
            where=path,
            do="free some space or choose another folder; the previous file is untouched",
        ) from error
    finally:
        with contextlib.suppress(OSError):  # where the part could not be made, it cannot be removed either
            part.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """BadInput now where no file could be written to `path` later, when the work for it has been done."""
    elsewhere = "choose another file"
    if path.is_dir():
        raise BadInput("is a folder", where=path, do=elsewhere)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(f"cannot be written ({error.strerror or error})", where=path, do=elsewhere) from error


def check_replaceable(path: Path, ours: Sequence[str], inputs: Iterable[Path] = ()) -> None:
    """BadInput unless nothing is lost when a new output replaces `path`.

    That is: nothing is there, or an empty folder, or an earlier output. `ours` are the patterns of the names
    that an output has; a file of the first one is always in it. `inputs` are what the output is made from: it
    may neither hold them nor lie in them.
    """
    elsewhere, place = "choose another folder for the output", path.resolve()
    for given in (given.resolve() for given in inputs):
        if place == given or place in given.parents or given in place.parents:
            how = "is" if place == given else "holds" if place in given.parents else "lies in"
            raise BadInput(f"{how} what it would be made from ({given})", where=path, do=elsewhere)
    if not path.exists():
        return
    if not path.is_dir():
        raise BadInput("is no folder", where=path, do=elsewhere)
    found = [entry for entry in path.iterdir() if not _matches(entry, LEFT_BEHIND)]
    foreign = sorted(entry.name for entry in found if not _matches(entry, ours))
    if not foreign and found and not any(_matches(entry, ours[:1]) for entry in found):
        foreign = sorted(entry.name for entry in found)
    if foreign:
        what = f"would be replaced, but holds what is not an earlier output ({', '.join(foreign[:3])})"
        raise BadInput(what, where=path, do=f"move that away, or {elsewhere}")


def _matches(entry: Path, patterns: Iterable[str]) -> bool:
    return entry.is_file() and any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in patterns)


@contextlib.contextmanager
def folder_written_atomically(path: Path, ours: Sequence[str], inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Fill a temporary folder that becomes `path` (replacing it) only if the block ends well.

    Raises BadInput, before the block, where `check_replaceable` does; Failure when it cannot be written.
    """
    check_replaceable(path, ours, inputs)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        for file in part.rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
        if path.exists():
            path.rename(old)
        part.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        if old.exists() and not path.exists():
            old.rename(path)
        raise Failure(
            f"cannot be written ({error.strerror or error})",
            where=path,
            do="free some space or choose another folder; the previous one is untouched",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if old.is_symlink():
            old.unlink()  # the link was replaced; what it led to is not ours to remove
        shutil.rmtree(old, ignore_errors=True)


def sync_folder(path: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically. What is none, in a file's name perhaps, is escaped as in JSON."""
    with written_atomically(path, "w") as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, indented, Korean left readable."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; Corrupt when it does not parse, BadInput when it is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput("no such file", where=path) from error
    except (OSError, ValueError, RecursionError) as error:  # the last for what is nested too deeply
        raise Corrupt(f"not readable JSON ({error})", where=path) from error


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file, read in 1 MiB pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
