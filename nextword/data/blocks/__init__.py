"""datatrove blocks of our cleaning steps: the door between that library and the nouns beside this folder.

    files      reading the crawl, keeping pages between passes, writing what stays and what went
    filters    what is decided by looking at one page alone
    repeats    what is decided by what came before

Each is a thin `PipelineStep`; what it decides is decided by a plain function elsewhere (html_text,
language, quality, first_seen, repeated, masking), which knows nothing of datatrove. A document carries its
provenance in `metadata`, a page's bytes travel in `media`, and what a filter drops is written to the
exclusions with its reason. Blocks hold only paths and settings, so an executor may copy them to another
process or machine.
"""

from __future__ import annotations

from nextword.data.blocks.files import ArchiveReader, DocumentWriter, Exclusions, PageReader, PageWriter
from nextword.data.blocks.filters import (
    ExtractText,
    LanguageFilter,
    Masking,
    QualityFilter,
    RepetitionFilter,
)
from nextword.data.blocks.repeats import (
    ExactFilter,
    ExactKeys,
    FindRepeats,
    LineKeys,
    RepeatedLineFilter,
    SeenFilter,
)

__all__ = [
    "ArchiveReader",
    "DocumentWriter",
    "ExactFilter",
    "ExactKeys",
    "Exclusions",
    "ExtractText",
    "FindRepeats",
    "LanguageFilter",
    "LineKeys",
    "Masking",
    "PageReader",
    "PageWriter",
    "QualityFilter",
    "RepeatedLineFilter",
    "RepetitionFilter",
    "SeenFilter",
]
