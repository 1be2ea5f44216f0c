"""Search: the passages of one's own pages that a question is about.

    with Index.build(documents, folder / "search.db"): ...
    hits = Index.open(folder / "search.db").search("json.dumps는 무엇을 하나요?", 5)

An index is one SQLite file with its full-text table (FTS5), so it is there with Python itself, is updated in
place, and holds more pages than fit into memory. Ranking is BM25 (Robertson and Zaragoza 2009) over three
fields: the page's title, the names that the passage defines, and its text. Terms are ours (`terms.py`), the
same for Korean and English.

Left out: embeddings. On these pages a question names what it asks for, and terms find it; a re-ranker can be
put on top of the hits.

A hit begins with the entry that is asked for, where the passage has it: what a reader came for is what they
see first, and a small model reads the beginning best.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from nextword.common.progress import Progress
from nextword.common.records import Document
from nextword.tools.index_file import explained, opened, prepare
from nextword.tools.passages import Passage, opened_at, passages
from nextword.tools.terms import asked_terms, by_script, terms

NAME = re.compile(r"[A-Za-z_][\w.]*(?= +\(version| +index|$)")
"""A title that is a module's name, as pydoc writes it."""

WEIGHTS = (4.0, 12.0, 1.0)
"""Of title, names and text in the ranking."""
OTHER_SCRIPT = 0.1
"""What Korean words count for in a question that also has Latin ones, the names that it asks about. Where few
pages are Korean, their every pair of letters is rare, and BM25 would take the rare for the telling."""
ASKED_NAME = re.compile(r"\b[A-Za-z_]\w*(?:\.\w+)+|\b[A-Za-z]+_\w+", re.ASCII)
"""What is a name in a question and no word: dotted or underscored. A Korean particle is no part of it."""
HERE, SOME = "clean", ""
"""What documents are all of, as a path from the index: its run's pages; nothing, they are only some more."""
CANDIDATES = 200
"""Passages that are ranked anew, by what Korean words count for and by the names asked for."""


@dataclass(frozen=True)
class Hit:
    """A passage that fits a question. `text` is page_text[start:end]; a higher score fits better.

    heading: the line that it stands under, further up on its page; "" for none.
    """

    document: str
    title: str
    url: str
    text: str
    start: int
    end: int
    heading: str
    score: float


class Index:
    """One index file. Reading is thread-safe in as far as each thread opens its own."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._sql = path, connection

    @staticmethod
    def open(path: Path) -> Index:
        """Open an index to ask it; BadInput when there is none or it is empty, Corrupt when it is none."""
        return Index(path, opened(path))

    @staticmethod
    def build(
        documents: Iterable[Document], path: Path, progress: Progress | None = None, source: str = HERE
    ) -> Index:
        """Add documents to the index at `path`, made if it is not there; see `add`.

        An index of another version is built anew, unless these documents are only some more.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with explained(path, "written"):
            index = Index(path, sqlite3.connect(path))
        try:
            index.add(documents, progress, source)
        except BaseException:
            index.close()
            raise
        return index

    def add(self, documents: Iterable[Document], progress: Progress | None = None, source: str = SOME) -> int:
        """Add or replace documents in one transaction; returns how many were new, changed or forgotten.

        source: what these are all the documents of. Pages that it had before and has no longer are forgotten.
        """
        changed = 0
        with explained(self.path, "written"), self._sql:
            self._sql.execute("begin immediate")
            prepare(self._sql, self.path, may_replace=source != SOME)
            self._sql.execute("create temp table seen (page integer primary key)")
            for document in documents:
                changed += self._put(document, source)
                if progress:
                    progress.advance()
            if source != SOME:
                changed += self._forget_others(source)
            self._sql.execute("drop table temp.seen")
        return changed

    def search(self, question: str, count: int = 5) -> list[Hit]:
        """The passages that fit best, best first; none where nothing fits."""
        names, asked = frozenset(ASKED_NAME.findall(question)), asked_terms(question)
        with explained(self.path, "read"):
            scores = self._scores(asked, max(count, CANDIDATES))
            self._raise_named(scores, names)
            best = sorted(scores, key=lambda number: -scores[number])[:count]
            return [self._hit(number, scores[number], asked, names) for number in best]

    def _scores(self, asked: Sequence[str], count: int) -> dict[int, float]:
        """The scores of passages by their numbers, the best `count` among them."""
        latin, other = by_script(asked)
        if not latin or not other:
            return self._ranked(latin or other, count)
        scores = self._ranked(latin, count)
        for number, score in self._ranked(other, count).items():
            scores[number] = scores.get(number, 0.0) + OTHER_SCRIPT * score
        return scores

    def _raise_named(self, scores: dict[int, float], names: frozenset[str]) -> None:
        """Set the passages with an entry that is asked for by its whole name above all others.

        `numpy.save` is what somebody wants who asks for it, however often `numpy.savez` says both words.
        """
        step = max(scores.values(), default=0.0)
        query = (
            "select title, name from entry join passage on passage.number = entry.passage"
            " join page on page.number = passage.page where passage.number = ?"
        )
        for number in scores if names else ():
            entries = self._sql.execute(query, (number,))
            scores[number] += step * max((_closeness(title, one, names) for title, one in entries), default=0)

    def _ranked(self, wanted: Sequence[str], count: int) -> dict[int, float]:
        """The numbers of the passages that have these terms, best first, with their BM25."""
        if not wanted:
            return {}
        match = " OR ".join(f'"{term}"' for term in wanted)
        return dict(
            self._sql.execute(
                "select rowid, -bm25(term, ?, ?, ?) as score from term where term match ?"
                " order by score desc limit ?",
                (*WEIGHTS, match, count),
            )
        )

    def _hit(self, number: int, score: float, asked: Sequence[str], names: frozenset[str]) -> Hit:
        row = self._sql.execute(
            "select page.number, page.id, page.title, page.url, start, end, heading"
            " from passage join page on page.number = passage.page where passage.number = ?",
            (number,),
        ).fetchone()
        page, document, title, url, *place = row
        start, end, heading = self._entry(number, title, asked, names) or place
        text = self._sql.execute(
            "select substr(text, ? + 1, ? - ?) from page where number = ?", (start, end, start, page)
        ).fetchone()[0]
        return Hit(document, title, url, text, start, end, heading, score)

    def _entry(
        self, passage: int, title: str, asked: Sequence[str], names: frozenset[str]
    ) -> tuple[int, int, str] | None:
        """Where the entry begins and ends that is asked for by its name, and the heading above it.

        The first of those that fit best.
        """
        rows = self._sql.execute("select name, start, end, heading from entry where passage = ?", (passage,))
        best, most = None, (0, 0)
        for name, *place in rows:
            own = terms(_called(title, name))
            fits = (_closeness(title, name, names), sum(term in asked for term in own))
            if name.lower().rpartition(".")[2] in asked and fits > most:
                best, most = (place[0], place[1], place[2]), fits
        return best

    def page(self, document: str) -> str | None:
        """The whole text of a page by its document's id."""
        row = self._sql.execute("select text from page where id = ?", (document,)).fetchone()
        return None if row is None else str(row[0])

    def __len__(self) -> int:
        """How many pages there are."""
        return int(self._sql.execute("select count(*) from page").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, document: Document, source: str) -> bool:
        """Whether the document was new or changed. Of `source` SOME, it stays what it was a part of."""
        run = self._sql.execute
        known = run("select number, sha256, source from page where id = ?", (document.id,)).fetchone()
        source = source or (known[2] if known else SOME)
        is_same = bool(known and document.sha256 and known[1] == document.sha256)
        if is_same and known[2] != source:
            run("update page set source = ? where number = ?", (source, known[0]))
        if known and not is_same:
            self._forget(int(known[0]))
        page = known[0] if is_same else self._insert(document, source)
        run("insert or ignore into seen values (?)", (page,))
        return not is_same

    def _insert(self, document: Document, source: str) -> int:
        """Add a page with its passages, their entries and terms; returns its number."""
        run, run_many = self._sql.execute, self._sql.executemany
        title, text = title_of(document), _held(document.text)
        row = (document.id, source, title, document.url, document.sha256, text)
        into = "insert into page(id, source, title, url, sha256, text) values (?,?,?,?,?,?)"
        page = int(run(into, row).lastrowid or 0)
        for one in passages(text):
            place = (page, one.start, one.end, one.heading)
            number = run("insert into passage(page, start, end, heading) values (?,?,?,?)", place).lastrowid
            entries = [
                (number, entry.name, entry.start, opened_at(text, entry.start), entry.heading)
                for entry in one.entries
            ]
            run_many("insert into entry values (?,?,?,?,?)", entries)
            fields = _fields(title, one, text)
            run("insert into term(rowid, title, names, text) values (?,?,?,?)", (number, *fields))
        return page

    def _forget_others(self, source: str) -> int:
        """Forget the pages of a source that have not been seen; returns how many."""
        query = "select number from page where source = ? and number not in (select page from seen)"
        gone = self._sql.execute(query, (source,)).fetchall()
        for (page,) in gone:
            self._forget(int(page))
        return len(gone)

    def _forget(self, page: int) -> None:
        run = self._sql.execute
        title, text = run("select title, text from page where number = ?", (page,)).fetchone()
        numbers = run("select number from passage where page = ? order by start", (page,)).fetchall()
        for (number,), one in zip(numbers, passages(text), strict=True):
            row = (number, *_fields(title, one, text))
            run("insert into term(term, rowid, title, names, text) values ('delete',?,?,?,?)", row)
        run("delete from entry where passage in (select number from passage where page = ?)", (page,))
        run("delete from passage where page = ?", (page,))
        run("delete from page where number = ?", (page,))


def _fields(title: str, passage: Passage, text: str) -> tuple[str, str, str]:
    """What is searched of a passage: terms of the title, of the names it defines, of its text."""
    names = [_called(title, name) for name in passage.names]
    fields = (title, " ".join(names), text[passage.start : passage.end])
    one, two, three = (" ".join(terms(field)) for field in fields)
    return one, two, three


def _closeness(title: str, name: str, names: frozenset[str]) -> int:
    """How surely one of these names asks for an entry.

    2: it is the entry's whole name. 1: it ends as the entry's does, and begins with its module, from where
    the module may have taken it, or the class inherited it. 0: neither.
    """
    if _called(title, name) in names:
        return 2
    module, last = NAME.match(title), name.rpartition(".")[2]
    return int(any(module and one.startswith(f"{module[0]}.") and one.endswith(f".{last}") for one in names))


def _called(title: str, name: str) -> str:
    """What an entry is asked for by: on a page about a module by its whole name."""
    module = NAME.match(title)
    return f"{module[0]}.{name}" if module else name


def _held(text: str) -> str:
    """The text as SQLite can cut it: a NUL would end it, and is shown to nobody as it is."""
    return text.replace("\0", "\ufffd")


def title_of(document: Document) -> str:
    """What a page is called: its meta's title, its first heading or line, else its address."""
    title = document.meta.get("title")
    if isinstance(title, str) and title.strip():
        return title.strip()
    first = next((line.strip(" #\t") for line in document.text.splitlines() if line.strip()), "")
    return first[:120] or document.url
