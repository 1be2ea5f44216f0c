"""Cleaning and tokenising: how fast on one core, and does memory stay flat?

    .venv/bin/python benchmarks/data.py [--pages ../shared/data/raw_html] [--keep]

The pages are real: 126 of Korean, Chinese and English sites, with near duplicates (SOURCE.md beside them
says whose). They are put into an archive as `nextword collect` would, and cleaned by the very function
that `nextword clean` calls, with its defaults but one process and without our own texts. The rate is pages
over CPU seconds of that process, from the archive to the report: the best of nine runs after one that
loads the modules (what else runs on the machine only adds). Tokenising is the function behind `nextword
tokenise`, with one thread, on what cleaning kept.

Flat memory: peak resident memory of a fresh process at four times the corpus over that at once. The copies
are made different (every third long word gets a suffix), so that nothing is a duplicate of anything.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

from report import figure, record
from rich.console import Console

from nextword.common.progress import Progress
from nextword.data.archive import ArchiveWriter
from nextword.data.clean import CleanSettings, clean

ROUNDS = 9
LONG_WORD = re.compile(rb"(?<=[ >])[A-Za-z]{5,}(?=[ .,<])")
GROWTH = 1.15
SETTINGS = CleanSettings(own_text=False, workers=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, default=Path("../shared/data/raw_html"))
    parser.add_argument("--keep", action="store_true", help="write a dated record")
    parser.add_argument("--peak", nargs=3, metavar=("STAGE", "FROM", "TO"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        stage, source, out = arguments.peak
        {"clean": cleaned, "tokenise": tokenised}[stage](Path(source), Path(out))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    with tempfile.TemporaryDirectory() as folder:
        lines = list(measured(arguments.pages, Path(folder)))
    if arguments.keep:
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        record(
            "data",
            lines,
            f"Load of the machine when it ended (1, 5, 15 minutes): {load}; {os.cpu_count()} cores.",
        )


def measured(pages: Path, work: Path) -> Iterator[str]:
    """Every figure, as its line."""
    once, four = archive_of(pages, work / "once", 1), archive_of(pages, work / "four", 4)
    summary = clean(SETTINGS, once, work / "cleaned", quiet("clean"))
    yield figure("pages in the archive", float(summary.pages))
    seconds = cpu_seconds(lambda: cleaned(once, work / "cleaned"))
    rate = summary.pages / seconds
    yield figure("cleaning, pages a second a core", rate, ">= 100", rate >= 100)
    yield figure("cleaning, MB of HTML a second a core", summary.page_bytes / 1e6 / seconds)
    peaks = [peak("clean", crawl, work / "cleaned") for crawl in (once, four)]
    yield figure("cleaning, peak MiB at once the corpus", peaks[0])
    yield figure("cleaning, peak MiB at four times the corpus", peaks[1])
    growth = peaks[1] / peaks[0]
    yield figure("cleaning, growth of memory", growth, f"<= {GROWTH}", growth <= GROWTH)
    yield from measured_tokenising(work, once, four)


def measured_tokenising(work: Path, once: Path, four: Path) -> Iterator[str]:
    """Bytes of text a second of encoding, from cleaned documents to token shards."""
    from nextword.tokenizer.training import TokenizerSettings, tokenizer_of_clean

    for name, crawl in (("small", once), ("large", four)):
        summary = cleaned(crawl, work / name / "clean")
        if name == "small":
            tokenizer_of_clean(TokenizerSettings(), work / name / "clean", work / "tokenizer", quiet("learn"))
        (work / name / "tokenizer").symlink_to(work / "tokenizer")
    megabytes = (summary.train_bytes + summary.heldout_bytes) / 1e6
    seconds = cpu_seconds(lambda: tokenised(work / "large", work / "tokens"))
    rate = megabytes / seconds
    yield figure("tokenising, MB of text a second a core", rate, ">= 8", rate >= 8)
    peaks = [peak("tokenise", work / name, work / "tokens") for name in ("small", "large")]
    yield figure("tokenising, peak MiB at once the corpus", peaks[0])
    yield figure("tokenising, peak MiB at four times the corpus", peaks[1])
    growth = peaks[1] / peaks[0]
    yield figure("tokenising, growth of memory", growth, f"<= {GROWTH}", growth <= GROWTH)


def cleaned(crawl: Path, out: Path):
    return clean(SETTINGS, crawl, out, quiet("clean"))


def tokenised(run: Path, out: Path):
    from nextword.tokenizer.tokenise import TokeniseSettings, tokenise

    return tokenise(TokeniseSettings(threads=1), run / "clean", run / "tokenizer", out, quiet("tokenise"))


def archive_of(pages: Path, folder: Path, copies: int) -> Path:
    """The pages as a finished crawl; every copy after the first is given words of its own."""
    packed = pages / "pages.tar.xz"
    if not packed.exists():
        sys.exit(f"{packed}: no such file; name a folder with a pages.tar.xz of HTML pages by --pages")
    with ArchiveWriter(folder) as archive:
        for copy in range(copies):
            with tarfile.open(packed) as tar:
                for member in tar:
                    if file := tar.extractfile(member):
                        url = f"http://pages.example/{copy}/{Path(member.name).name}"
                        body = varied(file.read(), copy)
                        archive.response(url, 200, {"Content-Type": "text/html"}, body)
    return folder


def varied(body: bytes, copy: int) -> bytes:
    """The page with a suffix at every third long word."""
    if copy == 0:
        return body
    words = iter(range(len(body)))
    return LONG_WORD.sub(lambda word: word.group() + (b"" if next(words) % 3 else b"q%d" % copy), body)


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process for the work: the best of some rounds, after one to warm up."""
    taken = []
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken[1:])


def peak(stage: str, source: Path, out: Path) -> float:
    """Peak resident MiB of a fresh process that does one stage."""
    command = [sys.executable, __file__, "--peak", stage, str(source), str(out)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    return float(run.stdout.split()[-1])


def quiet(title: str) -> Progress:
    return Progress(title, console=Console(file=StringIO()))


if __name__ == "__main__":
    main()
