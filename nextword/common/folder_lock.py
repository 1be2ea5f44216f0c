"""One process in a folder at a time, so that two runs do not mix their outputs.

    with working_in(run):
        ...                     another process gets BadInput, which names this one

It is the kernel's own lock (flock) on a file that holds the process's number, so it goes with the process,
however that ends; a file that stays behind locks nothing. Whoever works in a folder has the folders directly
in it too, as a make has those of its stages; within one process all of them may be had several times.

Left out: locks between machines that share a disk, which not every such disk knows, and systems without flock
(Windows). There, and where nothing may be written, work goes on unlocked.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from nextword.common.errors import BadInput

try:
    import fcntl
except ImportError:  # no Unix
    fcntl = None  # type: ignore[assignment]

LOCK = ".nextword.lock"


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Have a folder, made where it is missing, for the block; BadInput while another process has it.

    Under torchrun the first process stands for all.
    """
    if fcntl is None or os.environ.get("RANK", "0") != "0":
        yield
        return
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        lock = _locked(folder)
        try:
            for other in (folder.parent / LOCK, *folder.glob(f"*/{LOCK}")):
                _refuse_if_held(other)
            yield
        finally:
            if lock is not None:
                (folder / LOCK).unlink(missing_ok=True)
                os.close(lock)
    finally:
        with contextlib.suppress(OSError):  # as it was before, unless there is something in it now
            for path in missing:
                path.rmdir()


def _locked(folder: Path) -> int | None:
    """The locked file's descriptor; None where this process has it already, or it cannot be locked."""
    path = folder / LOCK
    with contextlib.suppress(OSError):  # what cannot be written, the work itself will say
        while True:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                _close_and_refuse(lock, folder, isinstance(error, BlockingIOError))
                return None
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), path.stat()):
                    os.ftruncate(lock, 0)
                    os.pwrite(lock, str(os.getpid()).encode(), 0)
                    return lock
            os.close(lock)  # whoever had it has removed it meanwhile
    return None


def _refuse_if_held(path: Path) -> None:
    with contextlib.suppress(OSError):
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            _close_and_refuse(lock, path.parent, isinstance(error, BlockingIOError))
        else:
            os.close(lock)


def _close_and_refuse(lock: int, folder: Path, is_held: bool) -> None:
    """BadInput when it is another process that holds the lock."""
    holder = os.pread(lock, 20, 0).decode("ascii", "replace")
    os.close(lock)
    if is_held and holder != str(os.getpid()):
        raise BadInput(
            f"another nextword (process {holder or 'unknown'}) is working in {folder}",
            do="wait until it ends, or choose another folder with --out",
        )
