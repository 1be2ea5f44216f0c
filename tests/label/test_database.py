"""Opening, migrating and writing the database, on SQLite and PostgreSQL."""

import sqlite3
import threading
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from nextword.common.errors import BadInput, Corrupt, Failure, Missing
from nextword.label import database as module
from nextword.label.database import Database
from nextword.label.refusals import Conflict
from nextword.label.schema import REVISION, AttemptRow, Base, ProjectRow


def test_the_migrations_make_exactly_the_tables_of_the_schema(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_schema_names_the_newest_migration():
    folder = module.__file__.replace("database.py", "migrations")
    assert ScriptDirectory(folder).get_current_head() == REVISION


def test_opening_again_keeps_what_is_there(database, address, clock):
    with database.write(None) as change:
        change.session.add(AttemptRow(name="ann", address="here", at=change.now))
    with Database.open(address, clock) as again, again.read() as session:
        assert session.query(AttemptRow).one().at == clock.now


def test_a_transaction_that_raises_leaves_nothing(database):
    with pytest.raises(ZeroDivisionError), database.write(None) as change:
        change.session.add(AttemptRow(name="ann", address="here", at=change.now))
        change.note("try", "nothing")
        1 / 0  # noqa: B018
    with database.read() as session:
        assert session.query(AttemptRow).count() == 0


def test_times_keep_their_zone_to_the_microsecond(database):
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    with database.write(None) as change:
        change.session.add(AttemptRow(name="ann", address="here", at=moment))
    with database.read() as session:
        assert session.query(AttemptRow).one().at == moment


def test_text_of_every_language_comes_back_as_it_was(database):
    settings = {"text": "한국어 and 𝒎𝒂𝒕𝒉 and \u2028 and \\u0000 and 'quotes\""}
    with database.write(None) as change:
        change.session.add(ProjectRow(name="p", settings=settings, created=change.now))
    with database.read() as session:
        assert session.query(ProjectRow).one().settings == settings


def test_the_same_name_twice_is_a_conflict_and_not_a_traceback(database):
    def add() -> None:
        with database.write(None) as change:
            change.session.add(ProjectRow(name="p", settings={}, created=change.now))

    add()
    with pytest.raises(Conflict):
        add()


def test_sqlite_writes_ahead_with_foreign_keys_and_syncs_every_commit(sqlite_address, clock):
    with Database.open(sqlite_address, clock) as database, database.engine.connect() as connection:
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "foreign_keys")
        ]
        assert found == ["wal", 1]
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path, clock):
    path = tmp_path / "letter.txt"
    path.write_text("Dear all, " * 100)
    with pytest.raises(Corrupt, match="not an SQLite database"):
        Database.open(path, clock)


def test_a_database_of_something_else_is_left_alone(tmp_path, clock):
    path = tmp_path / "music.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE song (title TEXT)")
    connection.close()
    with pytest.raises(Corrupt, match="something else"):
        Database.open(path, clock)


def test_a_database_of_a_newer_program_is_left_alone(sqlite_address, clock):
    connection = sqlite3.connect(sqlite_address)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(Corrupt, match="newer"):
        Database.open(sqlite_address, clock)


def test_a_database_that_must_exist_is_not_made(tmp_path, clock):
    with pytest.raises(BadInput, match="no such database"):
        Database.open(tmp_path / "none.db", clock, must_exist=True)
    assert not (tmp_path / "none.db").exists()


def test_a_server_that_is_not_there_is_said_so_without_the_password(clock, tmp_path):
    pytest.importorskip("psycopg")
    with pytest.raises(Failure, match="does not answer") as caught:
        Database.open(f"postgresql://me:secret@/db?host={tmp_path}", clock)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["mysql://x/y", "://", "sqlite+nonsense://x"])
def test_an_address_that_we_do_not_know_is_refused(address, clock):
    with pytest.raises((BadInput, Missing)):
        Database.open(address, clock)


def test_many_who_open_a_new_database_at_once_make_it_once(tmp_path, clock):
    failed = []

    def open_it() -> None:
        try:
            Database.open(tmp_path / "new.db", clock).close()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
