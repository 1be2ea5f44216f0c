"""PDF, DOCX and HWPX files as offices write them, made here: small, but real."""

from __future__ import annotations

import zipfile
from pathlib import Path


def pdf(*lines: str) -> bytes:
    """A small PDF with one page of text for each line."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(lines)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(lines)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, line in enumerate(lines):
        stream = f"BT /F1 12 Tf 72 700 Td ({line}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * n} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    tail = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    return (
        body
        + (
            f"{tail}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
        ).encode()
    )


def docx(path: Path, *paragraphs: str) -> None:
    """A Word document with these paragraphs, a table and a title."""
    import docx as word

    document = word.Document()
    document.core_properties.title = "제목"
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    table = document.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "왼쪽", "오른쪽"
    document.add_paragraph("끝")
    document.save(str(path))


def hwpx(path: Path, *paragraphs: str) -> None:
    """A Hangul document with these paragraphs."""
    space = 'xmlns:hs="http://www.hancom.co.kr/hwpml/2011/section" xmlns:hp="http://www.hancom.co.kr/hwpml/2011/paragraph"'
    body = "".join(f"<hp:p><hp:run><hp:t>{paragraph}</hp:t></hp:run></hp:p>" for paragraph in paragraphs)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("mimetype", "application/hwp+zip")
        packed.writestr(
            "Contents/section0.xml", f'<?xml version="1.0" encoding="UTF-8"?><hs:sec {space}>{body}</hs:sec>'
        )
