"""The labelling office: every service over one database, as a web page or the command line needs them.

    with Office.open("labels.db", clock=lambda: datetime.now(UTC)) as office:
        owner = office.people.found("ann", "a long password")
        project = office.projects.create(owner, "python-docs", {"en": "Be helpful."})
        item = office.desk.next(owner, project.id)

Every method is told its actor; the time comes from the clock that the office was opened with. Refusals are
in refusals.py. All of it may be used from several threads, and by several processes on one database.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from nextword.label.adjudication import Adjudication
from nextword.label.arena import Arena
from nextword.label.audit import Audit
from nextword.label.database import Clock, Database
from nextword.label.datasets import Datasets
from nextword.label.desk import Desk
from nextword.label.figures import Figures
from nextword.label.flags import Flags
from nextword.label.intake import Intake
from nextword.label.judge import Judges
from nextword.label.passwords import Passwords
from nextword.label.people import People
from nextword.label.project import Projects
from nextword.label.queues import Queues
from nextword.label.quiz import Quizzes
from nextword.label.sessions import Limits, Sessions
from nextword.label.worklist import Tasks


class Office:
    """All services over one database."""

    def __init__(
        self, database: Database, passwords: Passwords | None = None, limits: Limits | None = None
    ) -> None:
        passwords = passwords or Passwords()
        self.database = database
        self.people = People(database, passwords)
        self.sessions = Sessions(database, passwords, limits=limits)
        self.projects = Projects(database)
        self.quizzes = Quizzes(database)
        self.tasks = Tasks(database)
        self.desk = Desk(database)
        self.queues = Queues(database)
        self.adjudication = Adjudication(database)
        self.judges = Judges(database)
        self.arena = Arena(database, self.desk)
        self.flags = Flags(database)
        self.intake = Intake(database)
        self.datasets = Datasets(database)
        self.figures = Figures(database)
        self.audit = Audit(database)

    @classmethod
    def open(cls, address: str | Path, clock: Clock, must_exist: bool = False) -> Office:
        """Open the database (a file's path or an address), making (unless it must exist) or migrating it."""
        return cls(Database.open(address, clock, must_exist))

    def close(self) -> None:
        """Give back the database's connections."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
