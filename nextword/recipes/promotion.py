"""Promotion: which assistant of a run is in use, and switching to another in one stroke.

    RUN/current -> rounds/003/finetuned      what a round promoted; `chat`, `ask`, `evaluate` take it first
    RUN/aligned, RUN/finetuned               what is used where nothing was promoted yet

The switch is a rename of a symbolic link: a reader finds the old assistant or the new one, never half of
either, also when the power goes. Nothing is deleted: the old one is a switch away (`nextword round --undo`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nextword.common.errors import BadInput, Failure
from nextword.common.files import sync_folder
from nextword.common.run_layout import ASSISTANTS

CURRENT = "current"
ROUNDS = "rounds"


def assistant_of(run: Path) -> Path:
    """The stage folder (it holds model/) of the assistant in use; BadInput where there is none."""
    if not run.is_dir():
        raise BadInput("no such run", where=run, do="make one with `nextword make`")
    if (run / CURRENT).is_symlink() and not (run / CURRENT / "model" / "config.json").is_file():
        raise BadInput("points to no assistant", where=run / CURRENT, do="remove the link, or bring it back")
    for place in ASSISTANTS:
        if (run / place / "config.json").is_file():
            return (run / place).parent.resolve()
    raise BadInput("no assistant in this run yet", where=run, do="teach it to answer: `nextword finetune`")


def name_of(run: Path, stage: Path) -> str:
    """A stage folder as the run calls it: `finetuned`, `rounds/003/finetuned`."""
    return Path(os.path.relpath(stage.resolve(), run.resolve())).as_posix()


def promote(run: Path, stage: Path, instead_of: Path) -> None:
    """Make `stage` the assistant in use.

    Failure where that is no longer `instead_of` (which it was compared with): somebody else has promoted
    another meanwhile, and nothing is known of how the two compare. Doing it twice does nothing.
    """
    used = assistant_of(run)
    if used == stage.resolve():
        return
    if used != instead_of.resolve():
        what = f"the assistant is {name_of(run, used)} by now, not {name_of(run, instead_of)}"
        raise Failure(what, where=run, do="run another round")
    switch(run, stage)


def switch(run: Path, stage: Path) -> None:
    """Let `current` point to a stage folder, atomically."""
    link, part = run / CURRENT, run / f".{CURRENT}.{os.getpid()}.part"
    if link.exists() and not link.is_symlink():
        raise BadInput("is no link of ours", where=link, do="move it away")
    try:
        part.unlink(missing_ok=True)
        part.symlink_to(name_of(run, stage), target_is_directory=True)
        part.replace(link)
        sync_folder(run)
    except OSError as error:
        what = f"cannot be switched ({error.strerror or error})"
        raise Failure(what, where=link, do="the assistant is the one it was") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def alone(run: Path) -> Iterator[None]:
    """Hold the run's rounds for this process; BadInput while another has them. Death lets go of them."""
    folder = run / ROUNDS
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput("another round is under way", where=run, do="wait until it ends") from error
        yield
