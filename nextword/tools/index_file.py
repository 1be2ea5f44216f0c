"""The file of a search index: its tables, its version, and what SQLite's errors mean to a person.

Whatever is done to an index is one transaction, the making of its tables included: a build that is stopped,
even by `kill -9`, leaves the index that was there before, or none. So a file without any table is no index
yet, and one without pages is none to ask: the answer would be that the pages do not say, and there are none.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from nextword.common.errors import BadInput, Corrupt, Failure

VERSION = 6
SCHEMA = (
    "create table about (version integer not null)",
    "create table page (number integer primary key, id text unique not null, source text not null,"
    " title text not null, url text not null, sha256 text not null, text text not null)",
    "create table passage (number integer primary key, page integer not null references page(number),"
    " start integer not null, end integer not null, heading text not null)",
    "create index passage_of_page on passage(page)",
    "create table entry (passage integer not null references passage(number), name text not null,"
    " start integer not null, end integer not null, heading text not null)",
    "create index entry_of_passage on entry(passage)",
    "create virtual table term using fts5(title, names, text, content='',"
    """ tokenize="unicode61 remove_diacritics 0 tokenchars '._'")""",
)
"""`source` is what a page was a part of when it was indexed. An entry's `end` is where a passage ends that is
opened there. `term` keeps no text of its own: to forget a passage one tells it again which terms it had."""

BUILD = "build one with `nextword index`"


def opened(path: Path) -> sqlite3.Connection:
    """A connection to an index that has pages.

    BadInput when there is none, Corrupt when the file is none or of another version.
    """
    if not path.is_file():
        raise BadInput("no search index here", where=path, do=BUILD)
    connection = sqlite3.connect(path)
    try:
        with explained(path, "read"):
            version = version_of(connection)
            if version is None:
                raise BadInput("no search index here, only one that was begun", where=path, do=BUILD)
            if version != VERSION:
                what = f"an index of version {version}, expected {VERSION}"
                raise Corrupt(what, where=path, do="build it again with `nextword index`")
            if not connection.execute("select 1 from page limit 1").fetchone():
                raise BadInput("this search index has no pages", where=path, do="index some, then ask")
    except BaseException:
        connection.close()
        raise
    return connection


def version_of(connection: sqlite3.Connection) -> int | None:
    """The version of an index; None when the file has nothing in it yet."""
    if not connection.execute("select 1 from sqlite_master limit 1").fetchone():
        return None
    row = connection.execute("select version from about").fetchone()
    return int(row[0]) if row else 0


def prepare(connection: sqlite3.Connection, path: Path, may_replace: bool) -> None:
    """Within a transaction: make the tables where there are none; those of another version are replaced.

    Unless `may_replace` is false: Corrupt then, since their pages would be lost.
    """
    version = version_of(connection)
    if version == VERSION:
        return
    if version is not None and not may_replace:
        what = f"an index of version {version}, expected {VERSION}"
        raise Corrupt(what, where=path, do="remove it, and index again all that it held")
    for kind in ("create virtual table %", "create table %"):  # the first has tables that go with it
        found = connection.execute("select name from sqlite_master where sql like ?", (kind,)).fetchall()
        for (name,) in found:
            connection.execute(f'drop table "{name}"')
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute("insert into about values (?)", (VERSION,))


@contextlib.contextmanager
def explained(path: Path, done: str) -> Iterator[None]:
    """SQLite's errors as ours. `done` is what could not be: "read" or "written"."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of it are details
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            what = "another program is writing this index"
            raise Failure(what, where=path, do="try again when it has ended") from error
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
            what = f"not a search index, or a damaged one ({error})"
            do = "choose another file, or remove it and build it again"
            raise Corrupt(what, where=path, do=do) from error
        do = "free some space, or choose a folder that can be written"
        raise Failure(f"cannot be {done} ({error})", where=path, do=do) from error
