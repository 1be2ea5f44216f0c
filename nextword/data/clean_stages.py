"""The order of cleaning, as datatrove stages.

    read     archive -> text -> language -> quality -> pages/      slow: all others reread pages/
    exact    find documents seen before
    near     pages with hardly a line of their own; then MinHash of each page's own lines, bands, clusters
    lines    keys of the lines of those left; find lines seen before
    write    drop, shorten, drop what repeats itself or has nothing left, mask, split

Of two copies the one stays that the archive reader gave first; our own text comes last. Duplicates go
before repeated lines, because a line must not be "kept" by a page that then leaves as a
duplicate. Each stage rereads the extracted pages through the cheap filters before it, instead of writing
them again.
"""

from __future__ import annotations

from pathlib import Path

from datatrove.pipeline.base import PipelineStep

from nextword.data import blocks, duplicates
from nextword.data.clean import CleanSettings
from nextword.data.pipeline import Stage
from nextword.data.quality import Thresholds

PARTS_A_TASK = 4
"""So a part of the keys is a quarter of what one task wrote, however many tasks there are."""


LEAST_NEW = 0.05
"""A page with a smaller share of lines not seen before is a copy with small changes."""


def stages(settings: CleanSettings, crawl: Path, work: Path, tasks: int, slices: int) -> list[Stage]:
    """Every stage of cleaning a crawl; each needs the one before it to be complete."""
    parts = PARTS_A_TASK * tasks
    limits = Thresholds(least_words=settings.min_words)

    def dropped(step: str) -> blocks.Exclusions:
        return blocks.Exclusions(work / "dropped", step)

    def unique(report: bool = False) -> list[PipelineStep]:
        """The extracted pages, through the duplicate filters that stand so far."""
        return [
            blocks.PageReader(work / "pages"),
            blocks.ExactFilter(work / "exact_repeats", dropped("exact") if report else None),
        ]

    def fresh(report: bool = False, only_new: bool = False) -> list[PipelineStep]:
        seen = dropped("seen") if report else None
        return [*unique(report), blocks.SeenFilter(work / "first_repeats", LEAST_NEW, seen, only_new)]

    def distinct(report: bool = False) -> list[PipelineStep]:
        if not settings.near_duplicates:
            return unique(report)
        return [
            *fresh(report),
            duplicates.near_filter(work / "removals", dropped("near") if report else None),
        ]

    read = [
        blocks.ArchiveReader(crawl, slices, settings.own_text),
        blocks.ExtractText(dropped("text"), settings.whole_page),
        blocks.LanguageFilter(dropped("language"), settings.languages),
        blocks.QualityFilter(dropped("quality"), limits),
        blocks.PageWriter(work / "pages"),
        blocks.ExactKeys(work / "exact", parts),
    ]
    near = [
        Stage("near duplicates", [*unique(), blocks.LineKeys(work / "first_lines", parts)], tasks),
        Stage("near duplicates", [blocks.FindRepeats(work / "first_lines", work / "first_repeats")], parts),
        Stage(
            "near duplicates", [*fresh(only_new=True), duplicates.NearSignature(work / "signatures")], tasks
        ),
        Stage(
            "near duplicates",
            [duplicates.bands(work / "signatures", work / "pairs")],
            duplicates.CONFIG.num_buckets,
        ),
        Stage("near duplicates", [duplicates.clusters(work / "pairs", work / "removals")], 1),
    ]
    lines = [
        Stage("repeated lines", [*distinct(), blocks.LineKeys(work / "lines", parts)], tasks),
        Stage("repeated lines", [blocks.FindRepeats(work / "lines", work / "line_repeats")], parts),
    ]
    shorten = blocks.RepeatedLineFilter(
        work / "line_repeats",
        settings.repeated_lines,
        settings.min_words // 2,
        dropped("lines"),
        dropped("removed"),
    )
    write = [
        *distinct(report=True),
        shorten,
        blocks.RepetitionFilter(dropped("repetition"), limits),
        *([blocks.Masking()] if settings.mask else []),
        blocks.DocumentWriter(work / "kept", settings.heldout_percent),
    ]
    return [
        Stage("reading", read, tasks),
        Stage("exact duplicates", [blocks.FindRepeats(work / "exact", work / "exact_repeats")], parts),
        *(near if settings.near_duplicates else []),
        *lines,
        Stage("writing", write, tasks),
    ]
