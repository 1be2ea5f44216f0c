"""The looks back at the end of a make: next words, a page recalled, and the speed of the C program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from nextword import engine
from nextword.common.language_model import LanguageModel
from nextword.common.records import Document, read_documents
from nextword.data.own_text import ADDRESS
from nextword.evaluate.next_word import next_words
from nextword.evaluate.recall import RecallSettings, recall, words_of
from nextword.recipes.journal import Journal
from nextword.recipes.report import write_report

PAGE_CHARACTERS = (1_500, 20_000)
"""A page to recall is long enough to be interesting and short enough to be read."""
SPEED = re.compile(r"^(prefill|generate) \d+: ([\d.]+) tokens/s$", re.MULTILINE)


def look_back(folder: Path, prompt: str, journal: Journal) -> dict[str, Any]:
    """Look at the finished model from all sides, write RUN/report.html, and return the facts."""
    model = engine.open(folder)
    released = journal.result("release")
    facts = {
        "prompt": prompt,
        "next_words": next_words(model, prompt, 8),
        "page": page_recalled(folder, model),
        "speed": speed(released["program"], released["gguf"]),
        "files": [
            {"name": Path(path).name, "bytes": Path(path).stat().st_size}
            for path in (released["gguf"], released["source"])
            if path
        ],
        "train_bytes": journal.result("tokenizer")["splits"]["train"]["bytes"],
    }
    write_report(folder / "report.html", folder, journal, facts)
    return {**facts, "report": str(folder / "report.html")}


def page_recalled(
    folder: Path, model: LanguageModel, wanted: str = "", settings: RecallSettings | None = None
) -> dict[str, Any] | None:
    """What the model gives back of a page it was trained on; None where there is no such page."""
    train = folder / "clean" / "train.jsonl.zst"
    page = page_to_recall(train, wanted)
    if page is None:
        return None
    known = words_of(document.text for document in read_documents(train))
    found = recall(model, page.text, known, settings or RecallSettings())
    return {
        "url": page.url,
        "prompt": found.prompt,
        "said": [[span.text, span.kind] for span in found.said],
        "true": [[span.text, span.kind] for span in found.true],
        "compression": found.compression,
        "shares": {kind: found.share(kind) for kind in ("memorised", "plausible", "invented")},
    }


def page_to_recall(path: Path, wanted: str = "") -> Document | None:
    """The training page whose address ends in `wanted`; without it, the first of a readable length."""
    least, most = PAGE_CHARACTERS
    ending = re.compile(rf"(^|[/.=]){re.escape(wanted)}(\.html?|\.md|\.txt)?$")
    for page in read_documents(path):
        if wanted and ending.search(page.url):
            return page
        if wanted or page.url.startswith(ADDRESS):  # our own pages are in every run
            continue
        if least <= len(page.text) <= most and page.text.count("\n") > 20:
            return page
    return None


def speed(program: str | None, gguf: str) -> dict[str, float]:
    """Tokens a second of the released program, reading and writing, as its own --bench says; {} without."""
    if program is None:
        return {}
    run = subprocess.run([program, gguf, "--bench"], capture_output=True, text=True, timeout=120)
    return {name: float(value) for name, value in SPEED.findall(run.stdout)}
