"""Clean: from the pages of a crawl to documents worth learning from, and a report of what went.

    summary = clean(CleanSettings(), run / "crawl", run / "clean")

Writes train.jsonl.zst and heldout.jsonl.zst (`Document` records), dropped.jsonl.zst (address, step and
reason of everything left out), clean.json and report.html. The folder appears whole or not at all: a
cleaning that is killed is simply run again.

Memory stays flat: pages stream, keys lie on disk, and what is held is bounded by a task (a slice of the
archive), a part of the keys, and the clusters of near duplicates. This module itself imports nothing
heavy, so that the command line can show its settings.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nextword.common.errors import BadInput
from nextword.common.files import folder_written_atomically, write_json
from nextword.common.progress import Progress
from nextword.common.provenance import write_provenance
from nextword.common.settings import option

if TYPE_CHECKING:
    from nextword.data.clean_summary import CleanSummary
    from nextword.data.pipeline import Totals

SLICE_BYTES = 8 << 20
"""Compressed archive a task, some 60 MB of pages. Fixed: the result must not depend on the machine."""
OURS = (
    "clean.json",
    "run.json",
    "report.html",
    *(f"{name}.jsonl.zst" for name in ("train", "heldout", "dropped")),
)
"""The files of a `clean` folder: one with others in it is never replaced."""
MOST_SLICES = 4
"""A task reads its whole segment to take its slice, so there are not many to a segment."""


@dataclass(frozen=True)
class CleanSettings:
    """What is kept and how."""

    languages: tuple[str, ...] = option(("ko", "en", "zh"), "languages to keep (ISO 639-1); none keeps all")
    min_words: int = option(
        40, "fewest words of a page; half of that must be left after repeated lines are gone"
    )
    near_duplicates: bool = option(True, "remove near duplicates (MinHash)")
    repeated_lines: bool = option(True, "remove lines and paragraphs that the crawl has shown before")
    whole_page: bool = option(False, "keep menus and footers of HTML pages")
    mask: bool = option(False, "mask e-mail addresses, telephone and Korean resident numbers")
    own_text: bool = option(True, "add nextword's own README and docs, English and Korean")
    heldout_percent: float = option(5.0, "share of the documents kept out of training, to measure on")
    workers: int = option(0, "processes; 0 takes one a core when the crawl is large")

    def __post_init__(self) -> None:
        if not 0 <= self.heldout_percent < 100:
            raise BadInput(f"heldout_percent is {self.heldout_percent}", do="give at least 0 and under 100")
        if self.workers < 0 or self.min_words < 0:
            raise BadInput(
                f"workers {self.workers}, min_words {self.min_words}", do="give no negative number"
            )


def clean(settings: CleanSettings, crawl: Path, out: Path, progress: Progress | None = None) -> CleanSummary:
    """Clean the crawl in folder `crawl` into folder `out`.

    Raises BadInput when there is no crawl or nothing of it is left to train on (naming the step that dropped
    most) or `out` holds what is no earlier cleaning, Corrupt when an archive file is damaged, Failure when
    `out` cannot be written.
    """
    from nextword.data.archive import finished_segments
    from nextword.data.clean_report import write_report
    from nextword.data.clean_summary import gather

    began = time.monotonic()
    segments = finished_segments(crawl) if crawl.is_dir() else []
    if not segments:
        raise BadInput("holds no finished crawl", where=crawl, do="run `nextword collect` first")
    slices, tasks = _shares([segment.stat().st_size for segment in segments])
    with folder_written_atomically(out, OURS, inputs=[crawl]) as folder:
        work = folder / "work"
        work.mkdir()
        with progress or Progress("clean", unit="pages") as shown:
            totals = _run(settings, crawl, work, tasks, slices, shown)
            shown.advance(0, facts="report")
            summary, examples = gather(work, folder, totals, settings.heldout_percent > 0)
            summary = replace(summary, seconds=round(time.monotonic() - began, 2))
            if summary.train_documents == summary.train_own:  # our own text alone is nobody's wish
                raise _nothing_left(summary, crawl)
        write_report(folder / "report.html", summary, examples)
        shutil.rmtree(work)
        write_json(folder / "clean.json", asdict(summary))
        write_provenance(folder / "run.json", settings, crawl=str(crawl))
    return summary


def _shares(sizes: list[int]) -> tuple[int, int]:
    """(slices of a segment, tasks): a small crawl is one task, a large one a task a slice."""
    if sum(sizes) <= SLICE_BYTES:
        return 1, 1
    slices = min(MOST_SLICES, -(-max(sizes) // SLICE_BYTES))
    return slices, slices * len(sizes)


def _run(
    settings: CleanSettings, crawl: Path, work: Path, tasks: int, slices: int, shown: Progress
) -> Totals:
    from nextword.data.clean_stages import stages
    from nextword.data.pipeline import add, processes, run_stage

    totals: Totals = {}
    workers = min(settings.workers or os.cpu_count() or 1, tasks)
    with processes(workers) as pool:
        for number, stage in enumerate(stages(settings, crawl, work, tasks, slices)):
            shown.advance(0, facts=stage.name)
            add(totals, run_stage(stage, pool, None if number else shown.advance))
    return totals


def _nothing_left(summary: CleanSummary, crawl: Path) -> BadInput:
    if not summary.pages:
        return BadInput("has no page in it", where=crawl, do="collect again, or from elsewhere")
    pages = "1 page" if summary.pages == 1 else f"{summary.pages:,} pages"
    worst = max(summary.dropped, key=lambda dropped: dropped.documents - dropped.own)
    if not worst.reasons:  # no step saw a page: none had text
        return BadInput(f"nothing is left for training of {pages}", where=crawl, do="collect pages with text")
    reason = max(worst.reasons, key=lambda reason: worst.reasons[reason])
    return BadInput(
        f"nothing is left for training of {pages}: step `{worst.step}` dropped "
        f"{worst.documents - worst.own:,}, most because: {reason}",
        where=crawl,
        do="collect more, or loosen that step's settings (`nextword clean --help`)",
    )
