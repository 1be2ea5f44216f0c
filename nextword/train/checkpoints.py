"""A run's checkpoints on disk: the last few, and those worth keeping.

    checkpoints/step-000123/model/   the Hugging Face folder      checkpoints/step-000123/state/   to resume

A folder appears whole or not at all. Beside the `keep` newest, one more stays: the last of the constant
phase, from which a longer run can go on.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from nextword.train.distributed import Processes
from nextword.train.training_state import folder_written_together

NAME = re.compile(r"step-(\d{6,})")


class Checkpoints:
    """The checkpoints in one folder. `write` fills a folder; every process calls `save`."""

    def __init__(self, folder: Path, processes: Processes, keep: int = 2) -> None:
        self.folder, self.processes, self.keep = folder, processes, keep

    def path(self, step: int) -> Path:
        """Where the checkpoint after so many steps is, or would be."""
        return self.folder / f"step-{step:06}"

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in order."""
        if not self.folder.exists():
            return []
        names = (NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def newest(self, at_most: int | None = None) -> int | None:
        """The last step that has a checkpoint, at most `at_most`."""
        found = [step for step in self.steps() if at_most is None or step <= at_most]
        return found[-1] if found else None

    def save(self, step: int, write: Callable[[Path], None], spare: int | None = None) -> Path:
        """Write the checkpoint of a step, then forget old ones, except the newest not after `spare`."""
        path = self.path(step)
        with folder_written_together(path, self.processes) as part:
            write(part)
        if self.processes.is_first:
            spared = self.newest(spare) if spare is not None else None
            for old in self.steps()[: -self.keep]:
                if old != spared:
                    shutil.rmtree(self.path(old))
        self.processes.wait()
        return path

    def drop_after(self, step: int) -> None:
        """Forget the checkpoints of later steps (a run that is made longer goes another way from here)."""
        if self.processes.is_first:
            for later in self.steps():
                if later > step:
                    shutil.rmtree(self.path(later))
        self.processes.wait()
