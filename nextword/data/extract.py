"""The text of a PDF, Word or Hangul document, taken by a child process (`python -m nextword.data.extract`).

Such files are programs in disguise: one may loop, another unpack to gigabytes, a third crash a parser. So the
parsers (pypdf, python-docx, hwp-hwpx-parser) run in a process with a limit on memory, and each file has a
limit on time; what exceeds them costs that file only. What is taken is running text: images, notes and layout
stay.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import resource
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from nextword.common.errors import BadInput, Failure
from nextword.data.child import Child, Door

START_SECONDS = 60.0  # importing the parsers on a busy machine
MEMORY = 2 << 30
ENDED = re.compile(r"[.?!。…][\"')\]”’」]*\s*$")


@dataclass(frozen=True)
class Extracted:
    """The text of a document, and its title when it has one."""

    text: str
    title: str = ""


class Unreadable(BadInput):
    """A document whose text could not be taken; says why."""


class Extractor:
    """Takes the text of one document after another.

    Its child starts with the first document, and is replaced when one kills it. seconds: for one document;
    max_bytes: of what a zipped document may unpack to, and of its text.
    """

    def __init__(self, seconds: float = 60.0, max_bytes: int = 256 << 20) -> None:
        self.seconds, self.max_bytes = seconds, max_bytes
        self._child: Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def __call__(self, path: Path) -> Extracted:
        """The text of a file whose suffix is in SUFFIXES. Raises Unreadable."""
        if self._child is None:
            self._child = Child("nextword.data.extract")
            self._child.line(START_SECONDS)
        try:
            self._child.say(json.dumps({"path": str(path.absolute()), "max_bytes": self.max_bytes}))
            answer = json.loads(self._child.line(self.seconds))
        except Failure as error:
            self._stop()
            raise Unreadable(error.what, where=path) from error
        if "why" in answer:
            raise Unreadable(answer["why"], where=path)
        return Extracted(answer["text"], answer["title"])

    def _stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None


def from_pdf(path: Path) -> Extracted:
    """The text of each page, pages parted by a blank line."""
    import pypdf

    reader = pypdf.PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("is protected by a password")
    text = "\n\n".join(page.extract_text() for page in reader.pages)
    title = reader.metadata.title if reader.metadata else ""
    return Extracted(text, str(title or ""))


def from_docx(path: Path) -> Extracted:
    """Paragraphs and tables in their order; a row's cells parted by tabs."""
    import docx
    from docx.table import Table

    document = docx.Document(str(path))
    lines = []
    for part in document.iter_inner_content():
        if isinstance(part, Table):
            lines += ["\t".join(cell.text for cell in row.cells) for row in part.rows]
        else:
            lines.append(part.text)
    return Extracted(paragraphs(lines), document.core_properties.title or "")


def from_hangul(path: Path) -> Extracted:
    """The text of an HWPX or HWP 5 file, tables included."""
    from hwp_hwpx_parser import ExtractOptions, ImageMarkerStyle, Reader

    with Reader(path) as reader:
        if reader.is_encrypted:
            raise ValueError("is protected by a password")
        if not reader.is_valid:
            raise ValueError("is not a whole document")
        text = reader.extract_text(ExtractOptions(image_marker=ImageMarkerStyle.NONE))
    return Extracted(paragraphs(text.split("\n")))


def paragraphs(lines: Sequence[str]) -> str:
    """Lines, of which each is a whole paragraph, as text: an empty line after what ends like a sentence.

    So a heading stays with what it is above, and the rows of a table with each other.

    >>> paragraphs(["Fees", "A room is 9 euros.", "A key is free."])
    'Fees\\nA room is 9 euros.\\n\\nA key is free.'
    """
    ends = (f"{line}\n" if ENDED.search(line) else line for line in lines)
    return "\n".join(ends).strip("\n")


FORMATS: dict[str, Callable[[Path], Extracted]] = {
    ".pdf": from_pdf,
    ".docx": from_docx,
    ".hwpx": from_hangul,
    ".hwp": from_hangul,
}
SUFFIXES = frozenset(FORMATS)


def _answer(path: Path, max_bytes: int) -> dict[str, str]:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            if path.suffix.lower() in (".docx", ".hwpx"):
                with zipfile.ZipFile(path) as packed:  # a member is never read beyond the size it declares
                    if sum(member.file_size for member in packed.infolist()) > max_bytes:
                        return {"why": f"unpacks to over {max_bytes >> 20} MiB"}
            found = FORMATS[path.suffix.lower()](path)
    except MemoryError:
        return {"why": f"needs over {MEMORY >> 30} GiB of memory"}
    except Exception as error:  # a parser's own exceptions are as many as ways to break a file
        return {"why": " ".join(f"{error}".split())[:200] or type(error).__name__}
    if len(found.text) > max_bytes:
        return {"why": f"holds over {max_bytes >> 20} MiB of text"}
    return {"text": found.text, "title": found.title}


def main() -> None:
    """Answer one line of JSON for each line of JSON, until the parent is gone."""
    door = Door()
    with contextlib.suppress(ValueError, OSError):  # macOS has the name but not the limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    door.say("ready")
    while True:
        asked = json.loads(door.lines.get())
        door.say(json.dumps(_answer(Path(asked["path"]), asked["max_bytes"])))


if __name__ == "__main__":
    main()
