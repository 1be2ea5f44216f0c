"""The folder of a training run: what began it, and whether a call continues it.

Every stage writes run.json first (settings, command, commit, versions, data) and result.json last. A call
with the same settings continues the run that began there, or returns the result of one that has ended; one
that would learn something else is refused, also where only the content of the data has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from nextword.common.errors import BadInput
from nextword.common.files import read_json
from nextword.common.provenance import write_provenance

RESULT = "result.json"
"""The file that says that a run is finished, and how it ended."""
REPLACED = ("model", "adapter", "checkpoints")
"""Folders of a run that its stage replaces or thins out."""
LEARNT = "learns_from"
"""The fact of run.json that is a hash of all that the run learns from."""
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


def hash_of(records: Iterable[object]) -> str:
    """A hash of what is learnt from, in its order."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(repr(record).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def _see_that_it_is_the_same(settings: Any, out: Path, free: Collection[str], facts: dict[str, Any]) -> None:
    record = read_json(out / "run.json")
    earlier = {**record, **record["settings"]}
    for name, value in {**plain(settings), **facts}.items():
        if name in free or _is_same(name, earlier, value):
            continue
        if name == LEARNT:
            do = "restore it, or choose another folder"
            raise BadInput("its data has changed since it was begun", where=out, do=do)
        raise BadInput(
            f"was begun with {name} {earlier.get(name)}, now it is {value}",
            where=out,
            do="repeat the first command to continue it, or choose another folder",
        )


def _is_same(name: str, earlier: dict[str, Any], value: Any) -> bool:
    """Whether a setting or fact is what it was. Files may be named from elsewhere: LEARNT tells them."""
    if name == "data" and isinstance(earlier.get(name), list):
        return [Path(one).name for one in earlier[name]] == [Path(one).name for one in value]
    if name == LEARNT and name not in earlier:
        return True
    return bool(earlier.get(name) == value)


def plain(settings: Any) -> dict[str, Any]:
    """A settings dataclass as it reads back from JSON."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()
    }
