"""How every benchmark speaks: a line a figure, and a dated record that keeps the losses too.

figure("pretrain step, speed-up", 1.42, target=">= 1.3", ok=True)
-> pretrain step, speed-up: 1.42 (target >= 1.3) ok
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from nextword.common.files import write_text
from nextword.common.provenance import commit, versions

RECORDS = Path(__file__).parent / "records"


def figure(name: str, value: float | str, target: str = "", ok: bool | None = None) -> str:
    """Print and return one figure: `name: value (target ...) ok|short`; ok None means for information."""
    shown = f"{value:,.4g}" if isinstance(value, float) else str(value)
    verdict = "" if ok is None else (" ok" if ok else " short")
    line = f"{name}: {shown}" + (f" (target {target})" if target else "") + verdict
    print(line, flush=True)
    return line


def record(name: str, lines: Sequence[str], note: str = "") -> Path:
    """Keep the figures in records/DATE-NAME.md, with the command, commit and versions that made them."""
    today = datetime.now(UTC).date().isoformat()
    path = RECORDS / f"{today}-{name}.md"
    packages = ", ".join(f"{package} {version}" for package, version in versions().items())
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    figures = "\n".join(f"    {line}" for line in lines)
    made_by = f"`python benchmarks/{command}` at commit {commit() or 'unknown'}; {packages}."
    text = f"# {name}, {today}\n\n{made_by}\n\n{figures}\n"
    write_text(path, text + (f"\n{note.strip()}\n" if note else ""))
    print(f"record: {path.relative_to(RECORDS.parent.parent)}")
    return path
