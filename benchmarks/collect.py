"""What the default crawl yields: pages, bytes and unique text, in all and by package, and what it costs.

    .venv/bin/python benchmarks/collect.py [--seconds 60]

Calls the very `collect` that `nextword collect` calls, with its defaults. Unique text is counted before
cleaning: lines of at least 20 characters that no earlier page had.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from report import figure, record
from resiliparse.extract.html2text import extract_plain_text

from nextword.data.archive import pages
from nextword.data.collect import CollectSettings, CollectSummary, collect

MB = 1e6


def cpu_seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def unique_text(folder: Path) -> dict[str, tuple[int, int]]:
    """By package: UTF-8 bytes of text, and of lines that no earlier page had."""
    seen: set[int] = set()
    found: dict[str, tuple[int, int]] = {}
    for page in pages(folder):
        text, unique = found.get(page.meta["package"], (0, 0))
        for line in str(extract_plain_text(page.body.decode())).split("\n"):
            line = line.strip()
            text += len(line.encode()) + 1
            if len(line) >= 20 and hash(line) not in seen:
                seen.add(hash(line))
                unique += len(line.encode()) + 1
        found[page.meta["package"]] = text, unique
    return found


def report(summary: CollectSummary, folder: Path, seconds: float) -> list[str]:
    yields = unique_text(folder)
    kept = sum(path.stat().st_size for path in folder.glob("*.warc.gz"))
    unique = sum(one for _, one in yields.values()) / MB
    lines = [
        figure("seconds", seconds, "<= 60", seconds <= 60),
        figure("pages", float(summary.pages)),
        figure("pages per second", summary.pages / seconds),
        figure("HTML, MB", summary.bytes / MB),
        figure("archive, MB", kept / MB),
        figure("text, MB", sum(text for text, _ in yields.values()) / MB),
        figure("unique lines, MB", unique, ">= 4", unique >= 4),
        figure("CPU seconds of the servers", cpu_seconds(resource.RUSAGE_CHILDREN)),
        figure("left out, error pages among them", float(sum(summary.skipped.values()))),
        figure("failed", float(summary.failed)),
    ]
    for name, (text, one) in sorted(yields.items(), key=lambda item: -item[1][1]):
        count = summary.parts[name]["pages"]
        lines.append(
            figure(f"{name}: pages, text MB, unique MB", f"{count}, {text / MB:.2f}, {one / MB:.2f}")
        )
    return lines


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=0.0, help="the crawl's time limit; 0: none")
    limit = options.parse_args().seconds
    with tempfile.TemporaryDirectory() as place:
        began, before = time.monotonic(), cpu_seconds(resource.RUSAGE_SELF)
        summary = collect(CollectSettings(time_limit=limit), Path(place))
        seconds, own = time.monotonic() - began, cpu_seconds(resource.RUSAGE_SELF) - before
        lines = [*report(summary, Path(place), seconds), figure("CPU seconds of the crawler", own)]
    load = figure("load of the machine, 1 minute", float(Path("/proc/loadavg").read_text().split()[0]))
    record("collect", [*lines, load])


if __name__ == "__main__":
    main()
