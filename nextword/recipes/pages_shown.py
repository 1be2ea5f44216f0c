"""The pages that questions were asked about, as files a person can open: the archive itself is no reading.

A page is written as the text that cleaning kept of it, escaped, so that nothing on it can run; what answers
the question stands first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nextword.common.page import escape, paragraph, preformatted, section, write_page
from nextword.common.records import Document, digest
from nextword.data.questions import Question


def write_pages(questions: Sequence[Question], documents: Iterable[Document], out: Path) -> dict[str, str]:
    """Write the page of each question into `out`; returns each address's file, as a `file://` address.

    A page that cleaning dropped has only the passages of its questions.
    """
    asked: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        asked[question.url].append(question)
    texts = {document.url: document.text for document in documents if document.url in asked}
    shown = {}
    for url, about in asked.items():
        path = out / f"{digest(url)[:12]}.html"
        write_page(path, about[0].title or url, _parts(about, texts.get(url, "")), lead=url)
        shown[url] = path.absolute().as_uri()
    return shown


def _parts(about: Sequence[Question], text: str) -> Iterator[str]:
    for question in about:
        marked = _marked(question.excerpt, question.gold)
        yield section(question.text, paragraph(question.gold[0]), f"<pre>{marked}</pre>")
    if text:
        yield section("The whole page", preformatted(text))


def _marked(excerpt: str, gold: Sequence[str]) -> str:
    """The passage, with the answer marked where it stands."""
    found = next((one for one in gold if one and one in excerpt), "")
    if not found:
        return escape(excerpt)
    before, _, after = excerpt.partition(found)
    return f"{escape(before)}<mark>{escape(found)}</mark>{escape(after)}"
