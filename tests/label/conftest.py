"""An office over a fresh SQLite file, people in every role, and a clock that stands still until told."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from nextword.label.database import Database
from nextword.label.office import Office
from nextword.label.passwords import Passwords
from nextword.label.project import ProjectSettings
from nextword.label.schema import Base

PASSWORD = "correct horse battery"
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **much: float) -> None:
        self.now += timedelta(**much)


class PostgresServer:
    """A private cluster on a socket in a folder of its own; root lets somebody else run it, as it insists."""

    def __init__(self, need) -> None:
        debian = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
        os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *debian])
        self.postgres, self.initdb = need("postgres"), need("initdb")

    def __enter__(self) -> "PostgresServer":
        self.folder = Path(tempfile.mkdtemp(prefix="nextword-pg-"))  # pytest's own is closed to other users
        user = {"user": "nobody", "group": "nogroup", "extra_groups": ()} if os.getuid() == 0 else {}
        if user:
            shutil.chown(self.folder, "nobody", "nogroup")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": self.folder, **user}
        data = self.folder / "data"
        ours = ["-U", "nextword", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run([self.initdb, "-D", data, *ours], check=True, **quiet)
        fast = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "listen_addresses="]
        options = [part for setting in fast for part in ("-c", setting)]
        self.process = subprocess.Popen([self.postgres, "-D", data, "-k", self.folder, *options], **quiet)
        for _ in range(600):
            with contextlib.suppress(OperationalError):
                self._say("SELECT 1")
                return self
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL did not start")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)  # without waiting for clients
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def address(self) -> str:
        return f"postgresql://nextword@/postgres?host={self.folder}"

    def empty(self) -> None:
        """Every table as it was migrated, also where a test has switched the audit's triggers off."""
        tables = ", ".join(Base.metadata.tables)
        self._say(
            "SET session_replication_role = replica",
            f"TRUNCATE {tables} RESTART IDENTITY",
            "ALTER TABLE audit ENABLE TRIGGER ALL",
        )

    def _say(self, *statements: str) -> None:
        address = self.address.replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


class Club:
    """An office with an owner and a project, and short ways to say what the tests say often."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.clock, self.database = clock, database
        self.office = Office(database, CHEAP)
        self.owner = self.office.people.found("owner", PASSWORD)

    def person(self, name: str, role: str = "labeller"):
        token = self.office.people.invite(self.owner, role)
        return self.office.people.accept(token, name, PASSWORD)

    def project(self, name: str = "docs", quiz=(), **settings) -> int:
        made = self.office.projects.create(
            self.owner, name, {"en": "Be helpful.", "ko": "도움이 되게."}, ProjectSettings(**settings), quiz
        )
        return made.id

    def add(self, project: int, *records: dict, **how):
        return self.office.intake.add(self.owner, project, records, **how)

    def prompts(self, project: int, count: int, **how) -> None:
        self.add(project, *({"prompt": f"question {n}?"} for n in range(count)), **how)

    def comparisons(self, project: int, count: int, **how) -> None:
        self.add(project, *(comparison(n) for n in range(count)), **how)

    def answer(self, person, project: int, answer: dict, **how) -> int:
        """Take the next task and submit this answer; returns the task's number."""
        item = self.office.desk.next(person, project, **how)
        self.office.desk.submit(person, item.task, answer)
        return item.task

    def prefer(self, person, project: int, better: str = "good", task: int | None = None) -> int:
        """Take the next comparison (or this one) and choose the answer that begins so, wherever it stands."""
        desk = self.office.desk
        item = desk.open(person, task) if task else desk.next(person, project, kinds=("compare",))
        texts = [each["messages"][0]["content"] for each in item.material["answers"]]
        choice = next(at for at, text in enumerate(texts) if text.startswith(better))
        desk.submit(person, item.task, {"choice": choice})
        return item.task

    def state(self, task: int) -> str:
        from nextword.label.schema import TaskRow

        with self.database.read() as session:
            return session.get(TaskRow, task).state


def comparison(n: int = 0, **more) -> dict:
    return {
        "prompt": f"question {n}?",
        "answers": [
            {"text": f"good answer {n}", "by": "large"},
            {"text": f"poor answer {n}", "by": "small"},
        ],
        **more,
    }


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory) -> Path:
    """A migrated, empty SQLite file to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("label") / "empty.db"
    Database.open(path, Clock()).close()
    return path


@pytest.fixture(scope="session")
def postgres(need):
    """A PostgreSQL of our own, migrated."""
    with PostgresServer(need) as server:
        Database.open(server.address, Clock()).close()
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sqlite_address(empty_file, tmp_path) -> str:
    shutil.copyfile(empty_file, tmp_path / "labels.db")
    return str(tmp_path / "labels.db")


@pytest.fixture
def postgres_address(postgres) -> str:
    postgres.empty()
    return postgres.address


@pytest.fixture(params=["sqlite", "postgres"])
def address(request) -> str:
    """A migrated, empty database of each kind: what is said of the desk holds on both."""
    return request.getfixturevalue(f"{request.param}_address")


@pytest.fixture
def database(address, clock):
    with Database.open(address, clock) as opened:
        yield opened


@pytest.fixture
def club(database, clock) -> Club:
    return Club(database, clock)
