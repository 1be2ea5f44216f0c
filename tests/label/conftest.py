"""An office over a fresh SQLite file, people in every role, and a clock that stands still until told."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from nextword.label.database import Database
from nextword.label.office import Office
from nextword.label.passwords import Passwords
from nextword.label.project import ProjectSettings

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
def empty_database(tmp_path_factory) -> Path:
    """A migrated, empty database to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("label") / "empty.db"
    Database.open(path, Clock()).close()
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(empty_database, tmp_path, clock):
    path = tmp_path / "labels.db"
    shutil.copyfile(empty_database, path)
    with Database.open(path, clock) as opened:
        yield opened


@pytest.fixture
def club(database, clock) -> Club:
    return Club(database, clock)
