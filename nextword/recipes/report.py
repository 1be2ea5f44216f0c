"""RUN/report.html: the whole story of a make on one page that can be mailed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nextword.common.page import (
    bars,
    escape,
    paragraph,
    picture,
    preformatted,
    section,
    table,
    write_page,
)
from nextword.common.records import read_records
from nextword.common.terminal import visible
from nextword.recipes.journal import Journal


def write_report(path: Path, folder: Path, journal: Journal, facts: dict[str, Any]) -> None:
    """Write the report of the run in `folder`."""
    title = f"{journal.settings['source']}: from pages to two files"
    write_page(path, title, _sections(folder, journal, facts), lead=_lead(journal))


def _lead(journal: Journal) -> str:
    base = journal.result("pretrain")
    return (
        f"{base['parameters']:,} parameters, {base['depth']} layers, {base['tokens']:,} tokens read "
        f"({base['epochs']:.1f} times the text), {base['bits_per_byte']:.3f} bits per byte on held-out pages"
    )


def _sections(folder: Path, journal: Journal, facts: dict[str, Any]) -> Iterator[str]:
    base = journal.result("pretrain")
    yield section(
        "The two files",
        table(["file", "bytes"], [[file["name"], file["bytes"]] for file in facts["files"]]),
        paragraph(_ratio(facts)),
    )
    yield section("What the parameters are worth", table(["model", "bits per byte"], compared(journal)))
    yield section("Learning", picture((folder / "base" / "loss.png").read_bytes(), "the loss by step"))
    yield section("The same prompt, dreamed on", *_dreams(folder / "base" / "samples.jsonl"))
    words = [(visible(text), probability) for text, probability in facts["next_words"]]
    yield section("The next word", paragraph(f"after “{facts['prompt']}”"), bars(words))
    if facts["page"]:
        yield section("A page, and what the model remembers of it", *_recalled(facts["page"]))
    if facts["speed"]:
        rows = [[name, round(value)] for name, value in facts["speed"].items()]
        yield section("run.c on this machine", table(["", "tokens a second"], rows))
    stages = [[name, math.ceil(stage["seconds"])] for name, stage in journal.stages.items()]
    yield section("Where the time went", table(["stage", "seconds"], stages))
    yield section(
        "More",
        '<p><a href="clean/report.html">what came in, and what was dropped and why</a>, '
        '<a href="release/README.md">the model card</a>, <a href="base/metrics.jsonl">every step</a></p>',
        paragraph(
            f"{base['seconds']:,.0f} seconds of training, {base['tokens_per_second']:,.0f} tokens a second"
        ),
    )


def compared(journal: Journal) -> list[tuple[str, float]]:
    """The model and its baselines by bits per byte, worst first."""
    rows = [*journal.result("baselines").items(), ("this model", journal.result("pretrain")["bits_per_byte"])]
    return sorted(rows, key=lambda row: -row[1])


def _ratio(facts: dict[str, Any]) -> str:
    parameters, text = facts["files"][0]["bytes"], facts["train_bytes"]
    says = f"The parameters take {parameters:,} bytes, the text they come from {text:,}: "
    if parameters < text:
        return f"{says}a lossy compression, {text / parameters:.1f} to 1."
    return f"{says}so little text that the parameters are larger; train on more."


def _dreams(samples: Path) -> Iterator[str]:
    for sample in read_records(samples):
        yield f"<h3>after {escape(sample['percent'])} % of training</h3>"
        yield preformatted(sample["prompt"] + sample["text"])


def _recalled(page: dict[str, Any]) -> Iterator[str]:
    shares = page["shares"]
    yield paragraph(f"{page['url']}; under this model it shrinks {page['compression']:.1f} to 1")
    yield (
        "<p>Of the words the model said, "
        + ", ".join(f"<span class={kind}>{kind} {share:.0%}</span>" for kind, share in shares.items())
        + ".</p>"
    )
    yield "<h3>Given to both</h3>" + preformatted(page["prompt"])
    for title, spans in (("The page goes on", page["true"]), ("The model goes on", page["said"])):
        text = "".join(f"<span class={escape(kind)}>{escape(words)}</span>" for words, kind in spans)
        yield f"<h3>{title}</h3><pre>{text}</pre>"
