"""Errors a person can act on: what is wrong, where, and what to do.

    NextwordError                 every error we raise on purpose; the CLI prints it as one line, exit code 2
    ├── BadInput                  a file, record, flag or address that the user gave is unusable
    │   └── Corrupt               a file we know the format of is truncated, altered or of another version
    ├── Missing                   a program, package or device that the work needs is not there
    └── Failure                   the work itself went wrong (loss became NaN, disk full, peer gone)

Broken invariants of our own stay `assert` with a text: they are bugs, and a traceback is right for them.
"""

from __future__ import annotations

from pathlib import Path


class NextwordError(Exception):
    """One line saying what, where and what to do.

    >>> str(BadInput("not a GGUF file", where="model.bin", do="export it with `nextword release`"))
    'model.bin: not a GGUF file; export it with `nextword release`'
    """

    def __init__(self, what: str, *, where: str | Path | None = None, do: str | None = None) -> None:
        self.what, self.where, self.do = what, where, do
        line = f"{where}: {what}" if where is not None else what
        line = f"{line}; {do}" if do else line
        super().__init__(" ".join(line.split()))  # one line, whatever a library's message held


class BadInput(NextwordError):
    """Something the user gave (file, record, flag, address) is unusable."""


class Corrupt(BadInput):
    """A file of a format we know is truncated, altered, or of a version we do not read."""


class Missing(NextwordError):
    """A program, package or device that this work needs is not there."""


class Failure(NextwordError):
    """The work itself failed: disk full, loss not a number, a peer that went away."""
