"""The database of the labels: one SQLite file, or PostgreSQL by address; opened, migrated and written safely.

    with Database.open("labels.db", clock) as database:
        with database.write(actor) as change:
            change.session.add(...)
            change.note("retire", "task 12")

SQLite runs in WAL mode with foreign keys; every commit is on the disk before it is answered (synchronous
FULL), so a power cut loses nothing that was acknowledged. Writers begin with BEGIN IMMEDIATE, because a
transaction that first reads and then writes would otherwise fail when another writer came between. On
PostgreSQL writers lock the rows they decide about; reads see one snapshot on both.

The clock is asked once a transaction (`change.now`), so that everything in it happened at one moment.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from nextword.common.errors import BadInput, Corrupt, Failure, Missing
from nextword.label import audit
from nextword.label.person import Person
from nextword.label.refusals import Conflict
from nextword.label.schema import REVISION

Clock = Callable[[], datetime]
BUSY_SECONDS = 30.0
"""How long a writer waits for another before it gives up; each holds the database for milliseconds."""
MIGRATION_LOCK = 0x6E657874  # "next": any number that nobody else takes on this PostgreSQL


@dataclass
class Change:
    """A write transaction: its session, its moment, who acts, and what the audit will say of it."""

    session: Session
    now: datetime
    actor: Person | None
    notes: list[audit.Note] = field(default_factory=list)

    def note(self, action: str, subject: str, **facts: Any) -> None:
        """Put an entry into the audit when the transaction ends well."""
        self.notes.append(audit.Note(action, subject, facts))


class Database:
    """An open database. Threads may share it; processes open their own."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine, self.clock = engine, clock
        self.where = engine.url.render_as_string(hide_password=True)
        is_postgres = engine.dialect.name == "postgresql"
        self._reads = engine.execution_options(isolation_level="REPEATABLE READ") if is_postgres else engine
        self._writes = engine.execution_options(is_writer=True)

    @classmethod
    def open(cls, address: str | Path, clock: Clock, must_exist: bool = False) -> Database:
        """Open (and make, or migrate) a database: a file's path, or an SQLAlchemy address.

        BadInput when there is no such file and it must exist; Missing when the driver is not installed;
        Failure when the server cannot be reached; Corrupt when it is no database of ours, or a newer one.
        """
        url = _url(address)
        if must_exist and url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
            raise BadInput("no such database", where=url.database, do="make one with `nextword label init`")
        try:
            database = cls(_engine(url), clock)
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise Missing(f"no driver for {url.drivername}", do="pip install 'nextword[postgres]'") from error
        with _told(database.where), database._writes.begin() as connection:
            _migrate(connection, database.where)
        return database

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """One snapshot."""
        with _told(self.where), Session(self._reads) as session:
            yield session

    @contextlib.contextmanager
    def write(self, actor: Person | None) -> Iterator[Change]:
        """One transaction; its notes join the audit last. Nothing remains when the block raises."""
        with _told(self.where), Session(self._writes, expire_on_commit=False) as session, session.begin():
            change = Change(session, self.clock(), actor)
            yield change
            if change.notes:
                audit.append(session, change.now, actor, change.notes)


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """The driver's own errors as ours: one line, without the statement."""
    try:
        yield
    except OperationalError as error:
        raise Failure(
            f"the database does not answer ({_first_line(error)})",
            where=where,
            do="see that it runs, and retry",
        ) from error
    except IntegrityError as error:
        raise Conflict("somebody did the same at the same moment", do="look again") from error
    except DBAPIError as error:
        if "not a database" in str(error.orig):
            raise Corrupt("not an SQLite database", where=where) from error
        raise


def _first_line(error: DBAPIError) -> str:
    return (str(error.orig).strip() or type(error).__name__).splitlines()[0]


def _url(address: str | Path) -> URL:
    """A path is SQLite; postgres:// and postgresql:// mean psycopg, the driver we test with."""
    if "://" not in str(address):
        return URL.create("sqlite", database=str(address))
    try:
        url = make_url(str(address))
    except (ArgumentError, ValueError) as error:
        raise BadInput("not a database address", do="give a file, or postgresql://host/name") from error
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise BadInput(f"a database of the kind {url.drivername}", do="use SQLite or PostgreSQL")
    return url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True)
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    return engine


def _connected(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        _insist(connection, f"PRAGMA {pragma}")


def _insist(connection: sqlite3.Connection, statement: str, tries: int = 200) -> None:
    """Switching to WAL fails at once, whatever the timeout, while another process does the same."""
    while True:
        try:
            connection.execute(statement).close()
            return
        except sqlite3.OperationalError:
            tries -= 1
            if not tries:
                raise
            time.sleep(0.01)


def _begun(connection: Connection) -> None:
    is_writer = connection.get_execution_options().get("is_writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")


def _migrate(connection: Connection, where: str) -> None:
    """Bring the tables to this version, once, whoever else is opening the same database."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if found == REVISION:
            return
    elif tables:
        raise Corrupt("a database of something else", where=where, do="choose another file or database")
    from alembic import command  # a quarter of a second that an up-to-date database is spared
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Corrupt("made by a newer nextword", where=where, do="upgrade nextword") from error
