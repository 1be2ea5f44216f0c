"""HTML to text: ours (resiliparse and what html_text.py adds) beside resiliparse alone and trafilatura.

    .venv/bin/python benchmarks/html_text.py [--pages ../shared/data/raw_html] [--keep]

trafilatura is not a dependency: it is measured where it can be imported (an environment of its own will
do: `pip install trafilatura lxml_html_clean`, our dependencies, and PYTHONPATH=.). Nobody has marked
these pages by hand, so the figures are what can be counted without a judge:

    code kept       lines of `<pre>` that stand in the text exactly as written, indentation included
    said elsewhere  share of the text's lines that stand on five or more pages of one site: menus, footers
    signatures      `<dt>` entries of Python's own documentation (pydoc) found as a line of the text
    empty           pages of which nothing is left
"""

from __future__ import annotations

import argparse
import html
import pydoc
import re
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from report import figure, record

PRE = re.compile(r"<pre[^>]*>(.*?)</pre>", re.DOTALL)
TERM = re.compile(r"<dt><a name=[^>]*>(.*?)</dt>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
MODULES = (
    "json",
    "argparse",
    "logging",
    "decimal",
    "threading",
    "pathlib",
    "socket",
    "re",
    "random",
    "string",
)
NOTE = """
Ours is resiliparse's renderer with a few additions (`nextword/data/html_text.py`), which cost half its
speed. Of the 126 pages 30 hold their text in a script template, which the others do not open: that is
nearly all of their `empty`, and much of their `code kept`. trafilatura leaves fewer lines that are said
elsewhere (cleaning removes those later), and drops the definition lists in which pydoc writes every
signature.
"""
Extract = Callable[[str], str]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, default=Path("../shared/data/raw_html"))
    parser.add_argument("--keep", action="store_true", help="write a dated record")
    arguments = parser.parse_args()
    pages = dict(real_pages(arguments.pages))
    python = [pydoc.html.page(name, pydoc.html.document(__import__(name))) for name in MODULES]
    lines = []
    for name, extract in extractors():
        lines += measured(name, extract, pages, python)
    if arguments.keep:
        record("html-text", lines, NOTE)


def extractors() -> Iterator[tuple[str, Extract]]:
    """Ours, and what there is to compare it with."""
    from resiliparse.extract.html2text import extract_plain_text

    from nextword.data.html_text import html_text

    yield "ours", html_text
    yield "resiliparse alone", lambda page: extract_plain_text(page, main_content=True, alt_texts=False)
    try:
        import trafilatura
    except ImportError:
        print("trafilatura: not installed, left out")
        return
    yield "trafilatura", lambda page: trafilatura.extract(page, include_comments=False) or ""
    yield (
        "trafilatura, recall",
        lambda page: trafilatura.extract(page, include_comments=False, favor_recall=True) or "",
    )


def measured(name: str, extract: Extract, pages: dict[str, str], python: list[str]) -> Iterator[str]:
    """The figures of one extractor."""
    extract(next(iter(pages.values())))
    began = time.process_time()
    texts = {url: extract(page) for url, page in pages.items()}
    yield figure(f"{name}, pages a second a core", len(pages) / (time.process_time() - began))
    yield figure(f"{name}, code kept", share(kept_code(pages, texts)))
    yield figure(f"{name}, said elsewhere", share(said_elsewhere(texts)))
    yield figure(f"{name}, signatures", share(signatures(python, [extract(page) for page in python])))
    yield figure(
        f"{name}, empty", f"{sum(not text.strip() for text in texts.values())} of {len(texts)} pages"
    )


def share(found: Iterator[bool]) -> float:
    answers = list(found)
    return sum(answers) / max(1, len(answers))


def kept_code(pages: dict[str, str], texts: dict[str, str]) -> Iterator[bool]:
    for url, page in pages.items():
        lines = {line.rstrip() for line in texts[url].split("\n")}
        for block in PRE.findall(page):
            for line in html.unescape(TAG.sub("", block)).split("\n"):
                if len(line.strip()) > 3:
                    yield line.rstrip().replace("\xa0", " ") in lines


def said_elsewhere(texts: dict[str, str]) -> Iterator[bool]:
    """Korean and Flink pages only: the Kafka pages are versions of one another."""
    per_site: dict[str, Counter[str]] = {}
    for url, text in texts.items():
        per_site.setdefault(site(url), Counter()).update({line.strip() for line in text.split("\n")})
    for url, text in texts.items():
        for line in filter(None, map(str.strip, text.split("\n"))):
            if site(url):
                yield per_site[site(url)][line] >= 5


def site(url: str) -> str:
    return "ko" if "_docs_" in url else "flink" if "_content_" in url else ""


def signatures(pages: list[str], texts: list[str]) -> Iterator[bool]:
    for page, text in zip(pages, texts, strict=True):
        lines = {" ".join(line.split()) for line in text.split("\n")}
        for term in TERM.findall(page):
            yield " ".join(html.unescape(TAG.sub("", term)).split()) in lines


def real_pages(folder: Path) -> Iterator[tuple[str, str]]:
    packed = folder / "pages.tar.xz"
    if not packed.exists():
        sys.exit(f"{packed}: no such file; name a folder with a pages.tar.xz of HTML pages by --pages")
    with tarfile.open(packed) as tar:
        for member in tar:
            if file := tar.extractfile(member):
                yield member.name, file.read().decode("utf-8", "replace")


if __name__ == "__main__":
    main()
