"""The one look of every HTML page we write: self-contained, no script, light and dark, Korean and English.

Everything that came from outside goes through `escape`; a page carries a policy that forbids scripts and
loading anything, so even a mistake cannot run or call home.

    write_page(path, "What came in", [section("Pages", table(["page", "bytes"], rows))])
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from nextword.common.files import write_text

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def escape(text: object) -> str:
    """Text as HTML shows it, whatever it holds."""
    return html.escape(str(text), quote=True)


def section(title: str, *parts: str) -> str:
    """A heading and what stands under it (parts are HTML already)."""
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def paragraph(text: str, dim: bool = False) -> str:
    """A paragraph of plain text."""
    return f"<p{' class=dim' if dim else ''}>{escape(text)}</p>"


def preformatted(text: str) -> str:
    """Text with its line breaks, as typed."""
    return f"<pre>{escape(text)}</pre>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; columns whose every cell is a number stand to the right, with thousands marked."""
    rows = [list(row) for row in rows]
    numbers = [
        bool(rows) and all(isinstance(row[at], (int, float)) for row in rows) for at in range(len(head))
    ]
    kinds = [" class=number" if number else "" for number in numbers]

    def cell(value: object) -> str:
        shown = (
            f"{value:,}" if isinstance(value, int) else f"{value:,.3f}" if isinstance(value, float) else value
        )
        return escape(shown)

    top = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(head, kinds, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{cell(value)}</td>" for value, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<div class=wide><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def bars(rows: Iterable[tuple[str, float]]) -> str:
    """Labelled horizontal bars; values are shares from 0 to 1."""

    def row(label: str, value: float) -> str:
        bar = f'<div class=bar style="width:{100 * min(1.0, max(0.0, value)):.1f}%"></div>'
        return (
            f"<tr><td><code>{escape(label)}</code></td><td class=number>{value:.1%}</td><td>{bar}</td></tr>"
        )

    body = "".join(row(label, value) for label, value in rows)
    return f"<table class=bars><tbody>{body}</tbody></table>"


def picture(png: bytes, says: str) -> str:
    """A picture inside the page, with the words for who cannot see it."""
    return f'<img alt="{escape(says)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def write_page(path: Path, title: str, parts: Iterable[str], lead: str = "") -> None:
    """Write the page atomically."""
    head = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>{STYLE}</style>'
    )
    lead = f'<p class="dim">{escape(lead)}</p>' if lead else ""
    write_text(
        path, f"{head}<body><main><h1>{escape(title)}</h1>{lead}{''.join(parts)}</main></body></html>\n"
    )
