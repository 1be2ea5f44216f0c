"""What made this folder: command, settings, commit, package versions and seed, written beside every run."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nextword import __version__
from nextword.common.files import write_json

PACKAGES = ("torch", "numpy", "tokenizers", "tiktoken", "safetensors", "datatrove", "gguf")


def write_provenance(path: Path, settings: Any, **facts: Any) -> None:
    """Write `path` (JSON): settings is a dataclass instance, facts are whatever else belongs there."""
    write_json(
        path,
        {
            "nextword": __version__,
            "commit": commit(),
            "argv": sys.argv,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "packages": versions(),
            "settings": _plain(settings),
            **facts,
        },
    )


def versions() -> dict[str, str]:
    """The versions of the packages whose behaviour shows in results."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit of our own checkout ("" when installed from a wheel), with "+" when it has changes."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        run = subprocess.run(
            [*git, "describe", "--always", "--dirty=+", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=5,
        )
        return run.stdout.strip() if run.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
