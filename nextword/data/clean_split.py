"""Train and heldout: a hash of a document's id decides, and chance is corrected where it is unkind.

The hash (records.is_held_out) gives the same answer in every crawl, so a page that was measured on once is
never trained on later. But of a handful of documents it may hold out none, or all pages of the crawl but not
our own text, or a crawl of one page whole. Then a document changes sides: at least one page of the crawl is
trained on, and, where anything else is left, one document is held out. In a crawl of any size nothing
changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nextword.common.records import digest, read_records

Record = dict[str, Any]


def split_records(kept: Path, split: str, moved: frozenset[str]) -> Iterator[Record]:
    """The records of one side ("train" or "heldout"); those in `moved` come from the other."""
    other = "heldout" if split == "train" else "train"
    yield from (record for record in stage_records(kept / split) if record["id"] not in moved)
    if moved:
        yield from (record for record in stage_records(kept / other) if record["id"] in moved)


def changing_sides(kept: Path, hold_out: bool) -> frozenset[str]:
    """Ids of the documents to be moved to the other side: two at most.

    The page that stays to be trained on is the one that the hash puts farthest from being held out, the
    document held out is the nearest: a page of the crawl, or of our own text if there is only one page.
    """
    has_page = any(not record["own"] for record in stage_records(kept / "train"))
    if has_page and (not hold_out or any(stage_records(kept / "heldout"))):
        return frozenset()
    held = {record["id"] for record in stage_records(kept / "heldout")}
    everything = [record for split in ("train", "heldout") for record in stage_records(kept / split)]
    pages, own = (
        sorted({record["id"] for record in everything if record["own"] == is_own}, key=_chance)
        for is_own in (False, True)
    )
    moved = set() if has_page else set(pages[-1:])
    if hold_out and not held - moved:
        moved |= set((pages[:-1] or own)[:1])
    return frozenset(moved)


def _chance(id: str) -> str:
    return digest("held-out:" + id)


def stage_records(folder: Path) -> Iterator[Record]:
    """The records that all tasks of a stage wrote, in the order of the tasks."""
    for path in sorted(folder.glob("*.jsonl")):
        yield from read_records(path)
