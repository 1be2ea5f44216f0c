"""The folder of a training run: what began it, and whether a call continues it.

Every stage writes run.json first (settings, command, commit, versions, data) and result.json last. A call
with the same settings continues the run that began there, or returns the result of one that has ended; one
that would learn something else is refused, also where only the content of the data has changed.

What is read is known by a hash of its bytes (`inputs`), which takes no model to be opened: a finished run
says at once whether it is the one that was asked for. The files may be named from elsewhere meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import xxhash

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.files import read_json
from nextword.common.provenance import write_provenance

RESULT = "result.json"
"""The file that says that a run is finished, and how it ended."""
REPLACED = ("model", "adapter", "checkpoints")
"""Folders of a run that its stage replaces or thins out."""
LEARNT = "learns_from"
"""The fact of run.json that is a hash of all that the run learns from."""
INPUTS = "inputs"
"""The fact of run.json that has a hash of each thing that the run reads, by its name."""
OF_A_FOLDER = (".json", ".safetensors", ".jinja", ".model")
"""The files by which a checkpoint folder is known; one of token shards lists their hashes in its JSON."""
PIECE = 1 << 20
SPOKEN = {"heldout": "held-out data"}
Result = TypeVar("Result")


def begin(settings: Any, out: Path, free: Collection[str] = (), **facts: Any) -> None:
    """Write run.json, or see that the run that began here had the same settings and facts.

    free: settings that may change when a run goes on. BadInput, too, for a folder where no run began
    but that holds a model already: it would be replaced.
    """
    path = out / "run.json"
    if path.exists():
        _see_that_it_is_the_same(settings, out, free, facts)
    else:
        for name in REPLACED:
            if (out / name).is_dir() and any((out / name).iterdir()):
                what = f"holds {name}/, which this run would replace, and no run.json that says it is its own"
                raise BadInput(what, where=out, do="move it away, or choose another folder")
    write_provenance(path, settings, **facts)


def finished(
    kind: type[Result], settings: Any, out: Path, free: Collection[str] = (), **facts: Any
) -> Result | None:
    """The result of the run in `out`, if it has ended; BadInput when that one had other settings or facts."""
    if not (out / RESULT).exists():
        return None
    if (out / "run.json").exists():
        _see_that_it_is_the_same(settings, out, free, facts)
    return read_result(kind, out)


def read_result(kind: type[Result], out: Path) -> Result:
    """What a finished run's result.json says."""
    return kind(**{**read_json(out / RESULT), "model": out / "model"})


def inputs(**given: Path | Sequence[Path] | str) -> dict[str, dict[str, str]]:
    """The fact INPUTS of what a run reads, by name: a folder, files, or what was hashed already."""
    return {INPUTS: {name: one if isinstance(one, str) else content_of(one) for name, one in given.items()}}


def learnt_from(assistant: Path, data: Sequence[Path], tokens: Path | None = None) -> dict[str, Any]:
    """The facts of a stage that goes on from an assistant, with files of data and perhaps plain text."""
    names = [str(path) for path in data]
    read = inputs(assistant=engine.model_folder(assistant), data=data, **with_text(tokens))
    return {"data": names, **read}


def with_text(tokens: Path | None) -> dict[str, Path]:
    """The input that plain text is, where there is any."""
    return {} if tokens is None else {"tokens": tokens}


def content_of(paths: Path | Sequence[Path]) -> str:
    """A hash of what is in files, and in the folders of models, in their order.

    What is no file, or cannot be read, counts as empty: whoever needs it says so, and better.
    """
    digest = xxhash.xxh3_128()
    for path in [paths] if isinstance(paths, Path) else paths:
        for name, file in _files(path):
            digest.update(f"{name}:{_hash_of_file(file)};".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def hash_of(records: Iterable[object]) -> str:
    """A hash of what is learnt from, in its order."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(repr(record).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def _files(path: Path) -> list[tuple[str, Path]]:
    """A file, whatever it is called, or the files of a model's folder by their names."""
    if not path.is_dir():
        return [("", path)]
    return sorted((file.name, file) for file in path.iterdir() if file.suffix in OF_A_FOLDER)


def _hash_of_file(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with contextlib.suppress(OSError):
        if path.is_file():  # a pipe can be read only once
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    digest.update(piece)
    return digest.hexdigest()


def _see_that_it_is_the_same(settings: Any, out: Path, free: Collection[str], facts: dict[str, Any]) -> None:
    record = read_json(out / "run.json")
    earlier, hashed = {**record, **record["settings"]}, record.get(INPUTS, {})
    now = {**plain(settings), **facts}
    known = {name: one for name, one in now.pop(INPUTS, {}).items() if name in hashed}
    alike = {name for name, one in known.items() if one == hashed[name]}
    for name, value in now.items():
        is_new = name in facts and name not in earlier  # an older run did not write it down
        if name in free or name in alike or is_new or _is_same(name, earlier.get(name), value):
            continue
        if name == LEARNT:
            raise _changed("data", out)
        raise BadInput(
            f"was begun with {name} {earlier.get(name)}, now it is {value}",
            where=out,
            do="repeat the first command to continue it, or choose another folder",
        )
    for name in known:
        if name not in alike:
            raise _changed(name, out)


def _changed(name: str, out: Path) -> BadInput:
    do = "restore it, or choose another folder"
    return BadInput(f"its {SPOKEN.get(name, name)} has changed since it was begun", where=out, do=do)


def _is_same(name: str, earlier: Any, value: Any) -> bool:
    """Whether a setting or fact is what it was. Files may be named from elsewhere: their content tells."""
    if name in ("data", "heldout") and isinstance(earlier, list):
        return [Path(one).name for one in earlier] == [Path(one).name for one in value]
    return bool(earlier == value)


def plain(settings: Any) -> dict[str, Any]:
    """A settings dataclass as it reads back from JSON."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()
    }
