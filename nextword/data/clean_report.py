"""The report of a cleaning, as one HTML page that opens anywhere: no script, nothing fetched.

It shows what came in, what each step took and why, with the words of what was taken. Those words come from
untrusted pages, so every string goes through `html.escape`, and a content security policy forbids scripts and
requests even if one slipped through. Headings are in English and Korean.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from nextword.common.files import write_text
from nextword.data.clean_summary import CleanSummary, Dropped, Examples

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STEPS = {
    "text": (
        "HTML to text",
        "텍스트 추출",
        "pages in an unknown encoding, of another kind than text, or empty",
    ),
    "language": ("Language", "언어", "pages in languages that were not asked for"),
    "quality": (
        "Quality",
        "품질",
        "Gopher (Rae et al. 2021), C4 (Raffel et al. 2020), FineWeb (Penedo et al. 2024)",
    ),
    "exact": ("Exact duplicates", "완전 중복", "pages with the same words as one before"),
    "near": ("Near duplicates", "유사 중복", "MinHash over five-word phrases (Broder 1997)"),
    "lines": ("Nothing new left", "새 내용 없음", "pages whose lines had nearly all come before"),
    "repetition": ("Repetition", "반복", "pages that say one thing again and again (Gopher)"),
}


def write_report(path: Path, summary: CleanSummary, examples: Examples) -> None:
    """Write the page, atomically."""
    write_text(path, report(summary, examples))


def report(summary: CleanSummary, examples: Examples) -> str:
    """The whole page as HTML."""
    style = Path(__file__).with_name("clean_report.css").read_text(encoding="utf-8")
    body = [
        _heading(summary),
        _cards(summary),
        _flow(summary),
        _removed(summary, examples.get("removed", [])),
        _dropped(summary, examples),
        _counts("Languages kept", "남은 언어", summary.languages),
        _counts("Largest sources", "큰 출처", dict(list(summary.sources.items())[:15])),
        _details(summary),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>What cleaning kept</title><style>{style}</style></head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n<footer>Written by <code>nextword clean</code>. Each page left out is listed in "
        "<code>dropped.jsonl.zst</code>, with the step and the reason.</footer>\n</body></html>\n"
    )


def _heading(summary: CleanSummary) -> str:
    kept = summary.train_documents + summary.heldout_documents
    return (
        f"<h1>What cleaning kept{_korean('정제 결과')}</h1>"
        f'<p class="soft">{summary.pages:,} pages came in, {kept:,} documents stayed; '
        f"{summary.seconds:,.1f} seconds.</p>"
    )


def _cards(summary: CleanSummary) -> str:
    kept_bytes = summary.train_bytes + summary.heldout_bytes
    cards = [
        ("Pages", "페이지", f"{summary.pages:,}", f"{size(summary.page_bytes)} as they came"),
        ("Text in them", "추출된 텍스트", size(summary.text_bytes), f"{summary.text_documents:,} documents"),
        (
            "Not said before", "처음 나온 줄", f"{summary.unique_before:.0%}",
            f"{size(summary.unique_bytes)} of lines; {summary.unique_after:.0%} of what stayed",
        ),
        ("Kept", "남은 텍스트", size(kept_bytes), f"{_share(kept_bytes, summary.text_bytes)} of the text"),
        ("To train on", "학습용", size(summary.train_bytes), f"{summary.train_documents:,} documents"),
        ("To measure on", "평가용", size(summary.heldout_bytes), f"{summary.heldout_documents:,} documents"),
    ]  # fmt: skip
    inside = "".join(
        f"<div><dt>{escape(name)}{_korean(korean)}</dt><dd>{escape(value)}<span>{escape(note)}</span></dd></div>"
        for name, korean, value, note in cards
    )
    return f'<dl class="cards">{inside}</dl>'


def _flow(summary: CleanSummary) -> str:
    """From all text down to what stayed: a bar for what is left, a bar for what each step took."""
    by_step = {step.step: step for step in summary.dropped}
    rows, left = (
        [_flow_row("Text", "텍스트", "", summary.text_documents, summary.text_bytes, summary, "keep")],
        0,
    )
    for step, (name, korean, _) in STEPS.items():
        if step == "lines" and summary.repeated_bytes:
            rows.append(
                _flow_row("Repeated lines", "반복된 줄", "−", None, summary.repeated_bytes, summary, "lose")
            )
        if step in by_step and step != "text":
            took = by_step[step]
            rows.append(_flow_row(name, korean, "−", took.documents, took.bytes, summary, "lose"))
    left = summary.train_bytes + summary.heldout_bytes
    documents = summary.train_documents + summary.heldout_documents
    rows.append(_flow_row("Kept", "남음", "", documents, left, summary, "keep"))
    return (
        f"<h2>Where the bytes went{_korean('바이트의 행방')}</h2><table><tr><th>step</th>"
        '<th class="number">documents</th><th class="number">text</th><th></th></tr>'
        + "".join(rows)
        + "</table>"
    )


def _flow_row(
    name: str, korean: str, sign: str, documents: int | None, bytes: int, summary: CleanSummary, kind: str
) -> str:
    width = 100 * min(1.0, bytes / max(1, summary.text_bytes))
    count = "" if documents is None else f"{sign}{documents:,}"
    return (
        f'<tr><td>{escape(name)}{_korean(korean)}</td><td class="number">{count}</td>'
        f'<td class="number">{sign}{size(bytes)}</td><td class="bar">'
        f'<div class="track"><i class="{kind}" style="width:{width:.1f}%"></i></div></td></tr>'
    )


def _removed(summary: CleanSummary, examples: list[dict[str, Any]]) -> str:
    if not summary.repeated_bytes:
        return ""
    return (
        f"<h2>Repeated lines and paragraphs{_korean('반복된 줄과 문단')}</h2>"
        f"<p>{summary.repeated_lines:,} lines, {size(summary.repeated_bytes)}, had come before and were "
        "taken out of pages that stay. The first place keeps them.</p>"
        f"<details><summary>Some of them</summary>{''.join(map(_example, examples))}</details>"
    )


def _dropped(summary: CleanSummary, examples: Examples) -> str:
    if not summary.dropped:
        return ""
    sections = "".join(_dropped_step(step, examples.get(step.step, [])) for step in summary.dropped)
    return f"<h2>Pages left out, and why{_korean('제외된 페이지와 까닭')}</h2>{sections}"


def _dropped_step(step: Dropped, examples: list[dict[str, Any]]) -> str:
    name, korean, note = STEPS[step.step]
    reasons = "".join(f"<li>{escape(reason)}: {count:,}</li>" for reason, count in step.reasons.items())
    return (
        f"<details><summary>{escape(name)}{_korean(korean)}: {step.documents:,} pages, "
        f"{size(step.bytes)}</summary>"
        f'<p class="soft">{escape(note)}</p><ul>{reasons}</ul>{"".join(map(_example, examples))}</details>'
    )


def _example(record: dict[str, Any]) -> str:
    twin = f" · like {escape(str(record['twin']))}" if record.get("twin") else ""
    excerpt = str(record["excerpt"]).strip()
    return (
        f"<figure><figcaption>{escape(str(record['url']))} · {size(int(record['bytes']))} · "
        f"{escape(str(record['reason']))}{twin}</figcaption>"
        + (f"<pre>{escape(excerpt)}</pre>" if excerpt else "")
        + "</figure>"
    )


def _counts(title: str, korean: str, counts: dict[str, tuple[int, int]]) -> str:
    if not counts:
        return ""
    most = max(size for _, size in counts.values()) or 1
    rows = "".join(
        f'<tr><td class="name">{escape(name) or "?"}</td><td class="number">{documents:,}</td>'
        f'<td class="number">{size(bytes)}</td><td class="bar"><div class="track">'
        f'<i class="keep" style="width:{100 * bytes / most:.1f}%"></i></div></td></tr>'
        for name, (documents, bytes) in counts.items()
    )
    return (
        f'<h2>{escape(title)}{_korean(korean)}</h2><table><tr><th></th><th class="number">documents</th>'
        f'<th class="number">text</th><th></th></tr>{rows}</table>'
    )


def _details(summary: CleanSummary) -> str:
    facts = [("Encodings", summary.encodings), ("Masked", summary.masked)]
    lines = [
        f"<p>{name}: " + ", ".join(f"{escape(key)} {count:,}" for key, count in counts.items()) + "</p>"
        for name, counts in facts
        if counts
    ]
    return f"<h2>Details{_korean('세부')}</h2>{''.join(lines)}" if lines else ""


def _korean(text: str) -> str:
    return f'<small lang="ko">{escape(text)}</small>'


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "0%"


def size(count: int) -> str:
    """Bytes for people.

    >>> size(999), size(12_345), size(9_100_000)
    ('999 B', '12.3 kB', '9.1 MB')
    """
    if count < 1000:
        return f"{count} B"
    for unit in ("kB", "MB", "GB"):
        count_in = count / 1000 ** (("kB", "MB", "GB").index(unit) + 1)
        if count_in < 999.95 or unit == "GB":
            return f"{count_in:,.1f} {unit}"
    raise AssertionError("the loop returns")
