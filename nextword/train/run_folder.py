"""The folder of a training run: what began it, and whether a call continues it.

Every stage writes run.json first (settings, command, commit, versions, data) and result.json last. A call
with the same settings continues the run that began there; one that would learn something else is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput
from nextword.common.files import read_json
from nextword.common.provenance import write_provenance

RESULT = "result.json"
"""The file that says that a run is finished, and how it ended."""
REPLACED = ("model", "adapter", "checkpoints")
"""Folders of a run that its stage replaces or thins out."""


def begin(settings: Any, out: Path, free: Collection[str] = (), **facts: Any) -> None:
    """Write run.json, or see that the run that began here had the same settings and facts.

    free: settings that may change when a run goes on. BadInput, too, for a folder where no run began
    but that holds a model already: it would be replaced.
    """
    path = out / "run.json"
    now = {**plain(settings), **facts}
    if path.exists():
        record = read_json(path)
        earlier = {**record, **record["settings"]}
        for name, value in now.items():
            if name not in free and earlier.get(name) != value:
                raise BadInput(
                    f"was begun with {name} {earlier.get(name)}, now it is {value}",
                    where=out,
                    do="repeat the first command to continue it, or choose another folder",
                )
    else:
        for name in REPLACED:
            if (out / name).is_dir() and any((out / name).iterdir()):
                what = f"holds {name}/, which this run would replace, and no run.json that says it is its own"
                raise BadInput(what, where=out, do="move it away, or choose another folder")
    write_provenance(path, settings, **facts)


def plain(settings: Any) -> dict[str, Any]:
    """A settings dataclass as it reads back from JSON."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()
    }
