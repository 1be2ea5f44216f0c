"""Which assistant a stage begins from, when a person names a run."""

from __future__ import annotations

from pathlib import Path

from nextword import engine
from nextword.common.files import read_json
from nextword.common.run_layout import ASSISTANTS


def origin(path: Path, out: Path) -> Path:
    """The checkpoint folder that `path` means for a stage into `out`: itself, or a run's newest assistant.

    A stage does not begin from what it makes itself, nor, when it goes on, from what came to be meanwhile.
    """
    begun = out / "run.json"
    recorded = Path(str(read_json(begun).get("assistant"))) if begun.exists() else out
    if recorded.is_relative_to(path) and (recorded / "config.json").is_file():
        return recorded
    stages = [path / inside for inside in ASSISTANTS if (path / inside).parent.resolve() != out.resolve()]
    for folder in (path, *stages):
        if (folder / "config.json").is_file():
            return folder
    return engine.model_folder(path)
