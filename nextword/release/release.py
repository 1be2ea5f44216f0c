"""`release`: a checkpoint becomes two files that run anywhere, and a card that says what they are.

    OUT/NAME.gguf     the parameters, tokenizer and chat template inside
    OUT/run.c         the program, a copy of the one that nextword itself uses
    OUT/run           the program, compiled, where there is a compiler
    OUT/README.md     the model card

Each appears whole or not at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nextword.common.errors import BadInput, Failure, Missing
from nextword.common.files import write_text
from nextword.common.progress import Progress
from nextword.common.run_layout import ASSISTANTS, INSIDE_A_RUN
from nextword.common.settings import option
from nextword.release.card import BUILD, write_card
from nextword.release.gguf_file import inspect
from nextword.release.parameters import write_parameters
from nextword.release.quantise import tensor_type
from nextword.runner.build import SOURCE, build

LONGEST_NAME = 200
"""Bytes: file systems allow 255, and a file on its way has a longer name."""


@dataclass(frozen=True)
class ReleaseSettings:
    """How the parameters are stored and what the files are called."""

    type: str = option("Q8_0", "how weights are stored: F32, F16, BF16, Q8_0 or Q4_0")
    name: str = option("", "the file's name without .gguf; empty takes the run folder's")

    def __post_init__(self) -> None:
        tensor_type(self.type)
        _file_name(self.name)


@dataclass(frozen=True)
class ReleaseResult:
    """The two files. `program` is None where it could not be compiled; `notes` say that and the like."""

    gguf: Path
    source: Path | None
    program: Path | None
    card: Path
    sha256: str
    parameters: int
    notes: tuple[str, ...]


def release(
    settings: ReleaseSettings, run: Path, out: Path, progress: Progress | None = None
) -> ReleaseResult:
    """Write the two files of a run folder, or of any checkpoint folder, into `out`.

    Raises BadInput or Corrupt for a folder that has no sound model and for a place that cannot be written,
    Failure when the disk is full.
    """
    checkpoint, run_folder = find_checkpoint(run)
    gguf = out / f"{_file_name(settings.name or (run_folder or checkpoint).resolve().name)}.gguf"
    _make_folder(out)
    with progress or Progress("release", unit="tensors") as shown:
        written = write_parameters(checkpoint, gguf, settings.type, shown)
    notes = list(written.notes)
    source, program = _write_program(written.architecture, out, notes)
    card = write_card(out / "README.md", gguf, written.sha256, checkpoint, run_folder, notes)
    return ReleaseResult(gguf, source, program, card, written.sha256, inspect(gguf).parameters, tuple(notes))


def find_checkpoint(path: Path) -> tuple[Path, Path | None]:
    """(the checkpoint folder, its run folder or None) of either one; BadInput when it is neither.

    Of a run folder it is the assistant, where the run has one, and else the base model.
    """
    for model in (path, *(path / inside for inside in (*ASSISTANTS, *INSIDE_A_RUN))):
        if (model / "config.json").exists():
            parents = [model, *model.absolute().parents][:5]
            return model, next((folder for folder in parents if (folder / "base").is_dir()), None)
    raise BadInput(
        "no model here (no config.json, no base/model)",
        where=path,
        do="name a run folder, such as runs/python-docs, or a checkpoint folder",
    )


def _write_program(architecture: str, out: Path, notes: list[str]) -> tuple[Path | None, Path | None]:
    """run.c beside the parameters, compiled where there is a compiler; what could not be done is noted."""
    if architecture != "llama":
        notes.append(f"run.c runs the llama architecture, not {architecture}: use llama.cpp for this file")
        return None, None
    source = out / "run.c"
    write_text(source, SOURCE.read_text(encoding="utf-8"))
    try:
        return source, build(source, out / "run")
    except (Missing, Failure) as error:
        notes.append(f"run is not built ({error}): with a compiler, `{BUILD}` builds it")
        return source, None


def _make_folder(out: Path) -> None:
    """Before any work, so that a place where nothing can be written is said at once."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"no folder can be made here ({error.strerror})", where=out, do="choose another --out"
        ) from error


def _file_name(name: str) -> str:
    """A name that is safe as a file's and as a repository's: letters of any script, digits, `.`, `_`, `-`."""
    safe = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "model"
    if (size := len(safe.encode())) > LONGEST_NAME:
        raise BadInput(
            f"the name {safe[:20]}... takes {size} bytes, too many for a file's",
            do=f"give a --name of at most {LONGEST_NAME} (a Korean letter takes 3)",
        )
    return safe
