"""The report of a cleaning: one HTML page that opens anywhere (common/page.py: no script, nothing fetched).

It shows what came in, what each step took and why, with the words of what was taken. Those words come from
untrusted pages: every one of them goes through `escape`. Headings are in English and Korean.

A share says of what: a column of shares names its whole in its heading, and a sentence in its words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nextword.common.page import escape, paragraph, preformatted, section, write_page
from nextword.common.terminal import size
from nextword.data.clean_summary import CleanSummary, Dropped, Examples

STEPS = {
    "text": (
        "HTML to text · 텍스트 추출",
        "pages in an unknown encoding, of another kind than text, or empty",
    ),
    "language": ("Language · 언어", "pages in languages that were not asked for"),
    "quality": (
        "Quality · 품질",
        "Gopher (Rae et al. 2021), C4 (Raffel et al. 2020), FineWeb (Penedo et al. 2024)",
    ),
    "exact": ("Exact duplicates · 완전 중복", "pages with the same words as one before"),
    "seen": ("Seen before · 이미 나온 내용", "copies with small changes: hardly a line of their own"),
    "near": ("Near duplicates · 유사 중복", "MinHash over five-word phrases (Broder 1997)"),
    "lines": ("Nothing new left · 새 내용 없음", "pages whose lines had nearly all come before"),
    "repetition": ("Repetition · 반복", "pages that say one thing again and again (Gopher)"),
}
TEXT, OWN = "Text of the pages · 페이지의 글", "nextword's own text · nextword 자신의 글"
Row = tuple[str, int | None, int, bool]
"""Name, documents, bytes, and whether they stayed."""


def write_report(path: Path, summary: CleanSummary, examples: Examples) -> None:
    """Write the page, atomically."""
    kept = summary.train_documents + summary.heldout_documents
    kept_bytes = summary.train_bytes + summary.heldout_bytes
    largest = dict(list(summary.sources.items())[:15])
    flow = _rows(_flow(summary), _came_in(summary), "of the text that came in · 들어온 글 가운데")
    parts = [
        _totals(summary),
        section("Where the bytes went · 바이트의 행방", flow),
        _removed(summary, examples.get("removed", [])),
        _dropped(summary, examples),
        _counts("Languages kept · 남은 언어", summary.languages, kept_bytes),
        _counts("Largest sources · 큰 출처", largest, kept_bytes),
        _details(summary),
        paragraph("Every page left out is in dropped.jsonl.zst, with the step and the reason.", dim=True),
    ]
    joined = f", {_counted(summary.own_documents, 'document')} of nextword's own joined them"
    lead = (
        f"{_counted(summary.pages, 'page')} came in{joined if summary.own_documents else ''}; "
        f"{_counted(kept, 'document')} stayed; {summary.seconds:,.1f} seconds."
    )
    write_page(path, "What cleaning kept · 정제 결과", [part for part in parts if part], lead)


def _totals(summary: CleanSummary) -> str:
    kept = summary.train_bytes + summary.heldout_bytes
    share = kept / _came_in(summary) if _came_in(summary) else 0.0
    own = (OWN, size(summary.own_bytes), f"{_counted(summary.own_documents, 'document')}, added to the pages")
    facts = [
        ("Pages · 페이지", f"{summary.pages:,}", f"{size(summary.page_bytes)} as they came"),
        (TEXT, size(summary.text_bytes), _counted(summary.text_documents, "document")),
        *([own] if summary.own_documents else []),
        (
            "Lines not seen before · 처음 나온 줄",
            size(summary.unique_bytes),
            f"{summary.unique_before:.0%} of the lines in documents that are no duplicates; "
            f"{summary.unique_after:.0%} of those lines once the repeated ones are gone",
        ),
        ("Kept · 남은 텍스트", size(kept), f"{share:.0%} of the text that came in"),
        (
            "To train on · 학습용",
            size(summary.train_bytes),
            _documents(summary.train_documents, summary.train_own),
        ),
        (
            "To measure on · 평가용",
            size(summary.heldout_bytes),
            _documents(summary.heldout_documents, summary.heldout_own),
        ),
    ]
    cells = "".join(
        f"<tr><td>{escape(name)}</td>"
        f'<td class="number" style="white-space:nowrap"><b>{escape(value)}</b></td>'
        f'<td class="dim">{escape(note)}</td></tr>'
        for name, value, note in facts
    )
    return f"<table>{cells}</table>"


def _flow(summary: CleanSummary) -> list[Row]:
    """From all text down to what stayed: what each step took."""
    took = {step.step: step for step in summary.dropped}
    rows: list[Row] = [(TEXT, summary.text_documents, summary.text_bytes, True)]
    if summary.own_documents:
        rows.append((OWN, summary.own_documents, summary.own_bytes, True))
    for step, (name, _) in STEPS.items():
        if step == "lines" and summary.repeated_bytes:
            rows.append(("Repeated lines · 반복된 줄", None, summary.repeated_bytes, False))
        if step in took and step != "text":
            rows.append((name, took[step].documents, took[step].bytes, False))
    documents = summary.train_documents + summary.heldout_documents
    return [*rows, ("Kept · 남음", documents, summary.train_bytes + summary.heldout_bytes, True)]


def _came_in(summary: CleanSummary) -> int:
    """The whole that the shares of the flow are taken of: the text of all pages, and our own."""
    return summary.text_bytes + summary.own_bytes


def _rows(rows: list[Row], whole: int, of: str) -> str:
    """A table of rows, each with its share of `whole` bytes; `of` names that whole."""

    def row(name: str, documents: int | None, bytes: int, stayed: bool) -> str:
        sign = "" if stayed else "−"
        colour = "green" if stayed else "red"
        share = bytes / whole if whole else 0.0
        width = 100 * min(1.0, share)
        return (
            f'<tr><td style="overflow-wrap:anywhere">{escape(name) or "?"}</td>'
            f'<td class="number">{"" if documents is None else f"{sign}{documents:,}"}</td>'
            f'<td class="number" style="white-space:nowrap">{sign}{size(bytes)}</td>'
            f'<td class="number">{sign}{share:.1%}</td>'
            f'<td style="width:30%">'
            f'<div class="bar" style="width:{width:.1f}%;background:var(--{colour})"></div></td></tr>'
        )

    names = (
        '<th class="number">documents</th>',
        '<th class="number">text</th>',
        f'<th colspan="2">{escape(of)}</th>',
    )
    body = "".join(row(*each) for each in rows)
    return f"<table><thead><tr><th></th>{''.join(names)}</tr></thead><tbody>{body}</tbody></table>"


def _removed(summary: CleanSummary, examples: list[dict[str, Any]]) -> str:
    if not summary.repeated_bytes:
        return ""
    lines, had = _counted(summary.repeated_lines, "line"), "was" if summary.repeated_lines == 1 else "were"
    said = (
        f"{lines}, {size(summary.repeated_bytes)}, had come before and {had} taken out of documents that are "
        "no duplicates. The first place keeps them."
    )
    shown = _folded("Some of them", "".join(map(_example, examples)))
    return section("Repeated lines and paragraphs · 반복된 줄과 문단", paragraph(said), shown)


def _dropped(summary: CleanSummary, examples: Examples) -> str:
    if not summary.dropped:
        return ""
    steps = [_dropped_step(step, examples.get(step.step, [])) for step in summary.dropped]
    return section("Pages left out, and why · 제외된 페이지와 까닭", *steps)


def _dropped_step(step: Dropped, examples: list[dict[str, Any]]) -> str:
    name, note = STEPS[step.step]
    reasons = "".join(f"<li>{escape(reason)}: {count:,}</li>" for reason, count in step.reasons.items())
    inside = paragraph(note, dim=True) + f"<ul>{reasons}</ul>" + "".join(map(_example, examples))
    return _folded(f"{name}: {_documents(step.documents, step.own)}, {size(step.bytes)}", inside)


def _folded(title: str, inside: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"


def _example(record: dict[str, Any]) -> str:
    facts = [str(record["url"]), size(int(record["bytes"])), str(record["reason"])]
    if record.get("twin"):
        facts.append(f"like {record['twin']}")
    excerpt = str(record["excerpt"]).strip("\n")
    return paragraph(" · ".join(facts), dim=True) + (preformatted(excerpt) if excerpt else "")


def _counts(title: str, counts: dict[str, tuple[int, int]], kept: int) -> str:
    rows: list[Row] = [(name, documents, bytes, True) for name, (documents, bytes) in counts.items()]
    return section(title, _rows(rows, kept, "of the text kept · 남은 글 가운데")) if rows else ""


def _details(summary: CleanSummary) -> str:
    facts = [("Pages by encoding", summary.encodings), ("Masked", summary.masked)]
    said = [
        paragraph(f"{name}: " + ", ".join(f"{key} {count:,}" for key, count in counts.items()))
        for name, counts in facts
        if counts
    ]
    return section("Details · 세부", *said) if said else ""


def _documents(count: int, own: int) -> str:
    """How many, and how many of them are not the crawl's."""
    return _counted(count, "document") + (f", {own:,} of them nextword's own" if own else "")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
