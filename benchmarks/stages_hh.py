"""Anthropic's HH-RLHF as comparisons: two dialogues as text, which differ in the last answer."""

from __future__ import annotations

import re
from pathlib import Path

from nextword.common.dialogue import Comparison, comparison_of
from nextword.common.records import digest, read_records

TURN = re.compile(r"\n\n(Human|Assistant):")
ROLES = {"Human": "user", "Assistant": "assistant"}


def hh_comparisons(path: Path, most: int) -> list[Comparison]:
    """`most` of the pairs of a file, by a hash; those whose dialogues do not begin alike are left out."""
    rows = sorted(read_records(path), key=lambda row: digest(row["chosen"] + row["rejected"]))
    found = []
    for row in rows:
        try:
            found.append(comparison_of({side: turns(row[side]) for side in ("chosen", "rejected")}))
        except ValueError:
            continue
        if len(found) == most:
            break
    return found


def turns(dialogue: str) -> list[dict[str, str]]:
    """The messages of one dialogue; empty ones are none."""
    _, *pieces = TURN.split(dialogue)
    said = zip(pieces[::2], pieces[1::2], strict=True)
    return [{"role": ROLES[who], "content": text.strip()} for who, text in said if text.strip()]
