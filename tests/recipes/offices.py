"""A labelling office for a test of recipes: an owner whose password costs nothing, and one project."""

from datetime import UTC, datetime
from pathlib import Path

from argon2 import PasswordHasher

from nextword.label.database import Database
from nextword.label.office import Office
from nextword.label.passwords import Passwords


def now() -> datetime:
    return datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def office_at(path: Path, project: str = "default") -> Office:
    """An open office with its owner and a project."""
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    office = Office(Database.open(path, now), cheap)
    owner = office.people.found("owner", "correct horse battery")
    office.projects.create(owner, project, {"en": "Be helpful."})
    return office
