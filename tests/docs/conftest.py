"""The pages people read, and the code blocks in them.

A block marked `sh` holds commands that work as they stand; those of the README are run, in their order, by a
test. A block marked `text` is to be looked at.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Pages:
    """Where they are, and what is in them."""

    root: Path = ROOT

    @property
    def every(self) -> list[Path]:
        """Every page, the README and its neighbours first."""
        return sorted(self.root.glob("*.md")) + sorted(self.root.glob("docs/**/*.md"))

    @property
    def pairs(self) -> list[tuple[Path, Path]]:
        """(English, Korean) of every page that has both."""
        docs = [(self.root / "docs" / page.name, page) for page in sorted(self.root.glob("docs/ko/*.md"))]
        return [(self.root / "README.md", self.root / "README.ko.md"), *docs]

    def blocks(self, page: Path) -> list[tuple[str, str]]:
        """(mark, content) of each code block."""
        return BLOCK.findall(page.read_text(encoding="utf-8"))

    def commands(self, page: Path) -> list[str]:
        """Every command of the `sh` blocks, in order, without its comment."""
        lines = [line for mark, block in self.blocks(page) if mark == "sh" for line in block.splitlines()]
        return [re.sub(r"\s+#.*", "", line).strip() for line in lines if line.strip()]

    def spans(self, page: Path) -> list[str]:
        """Every code span of the running text."""
        return re.findall(r"`([^`\n]+)`", BLOCK.sub("", page.read_text(encoding="utf-8")))

    def words(self, command: str) -> list[str]:
        """A command's words, as a shell sees them."""
        return shlex.split(command)


@pytest.fixture(scope="session")
def pages() -> Pages:
    return Pages()
