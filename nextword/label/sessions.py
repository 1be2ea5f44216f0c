"""Logging in, staying logged in, and not being guessed.

Tries are counted in the database, before the password is looked at and in one transaction, so that neither
several processes nor many requests at once get more of them. Three limits in a window of fifteen minutes:
a name from one address, an address (somebody trying many names), and a name from everywhere (many addresses
trying one name; the widest, because it is also the one with which a stranger could lock somebody out). What
is said is the same for a wrong name and a wrong password, and takes as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select

from nextword.label.database import Change, Database
from nextword.label.passwords import Passwords
from nextword.label.people import person_of, tidy
from nextword.label.person import Person
from nextword.label.refusals import NotSignedIn, TooMany
from nextword.label.schema import AttemptRow, PersonRow, SessionRow, lock
from nextword.label.tokens import Mint, kept, mint


@dataclass(frozen=True)
class Limits:
    """How many failed tries there may be in the window."""

    window: timedelta = timedelta(minutes=15)
    name_from_address: int = 5
    address: int = 30
    name: int = 100
    session: timedelta = timedelta(days=14)


@dataclass(frozen=True)
class Login:
    """Somebody has logged in: the cookie's secret, and until when it holds."""

    token: str
    person: Person
    expires: datetime


class Sessions:
    """The door."""

    def __init__(
        self, database: Database, passwords: Passwords, mint: Mint = mint, limits: Limits | None = None
    ) -> None:
        self.database, self.passwords, self.mint = database, passwords, mint
        self.limits = limits or Limits()

    def login(self, name: str, password: str, address: str) -> Login:
        """Open a session. NotSignedIn when name or password is wrong, TooMany after too many tries."""
        name = tidy(name)
        with self.database.write(None) as change:
            self._count(change, name, address)
            known = (PersonRow.name == name) & PersonRow.is_active & ~PersonRow.is_machine
            row = change.session.scalar(select(PersonRow).where(known))
        if not self.passwords.fits(row.password if row else None, password) or row is None:
            raise NotSignedIn("the name or the password is not right", code="wrong_login")
        stale = row.password is not None and self.passwords.is_stale(row.password)
        fresh = self.passwords.hasher.hash(password) if stale else None
        return self._open(person_of(row), address, fresh)

    def whose(self, token: str) -> Person:
        """The person who is logged in with this token; NotSignedIn when nobody is."""
        wanted = (
            select(PersonRow)
            .join(SessionRow, SessionRow.person_id == PersonRow.id)
            .where(SessionRow.token == kept(token), SessionRow.expires > self.database.clock())
            .where(PersonRow.is_active)
        )
        with self.database.read() as session:
            row = session.scalar(wanted)
            if row is None:
                raise NotSignedIn("not logged in, or not any more", do="log in")
            return person_of(row)

    def logout(self, token: str) -> None:
        """End this session; one that has ended already is no error."""
        with self.database.write(None) as change:
            change.session.execute(delete(SessionRow).where(SessionRow.token == kept(token)))

    def logout_everywhere(self, actor: Person) -> None:
        """End all of one's sessions."""
        with self.database.write(actor) as change:
            change.session.execute(delete(SessionRow).where(SessionRow.person_id == actor.id))
            change.note("log out everywhere", f"person {actor.pseudonym}")

    def _open(self, person: Person, address: str, rehashed: str | None) -> Login:
        token = self.mint()
        with self.database.write(person) as change:
            expires = change.now + self.limits.session
            change.session.add(
                SessionRow(token=kept(token), person_id=person.id, created=change.now, expires=expires)
            )
            forgiven = (AttemptRow.name == person.name) & (AttemptRow.address == address)
            change.session.execute(delete(AttemptRow).where(forgiven))
            change.session.execute(delete(SessionRow).where(SessionRow.expires <= change.now))
            if rehashed:
                row = change.session.get(PersonRow, person.id)
                assert row is not None, "it was read a moment ago and nobody is deleted"
                row.password = rehashed
            change.note("log in", f"person {person.pseudonym}")
        return Login(token, person, expires)

    def _count(self, change: Change, name: str, address: str) -> None:
        """Count this try as failed until it has succeeded; TooMany when a limit is reached."""
        lock(change.session, AttemptRow)
        since = change.now - self.limits.window
        change.session.execute(delete(AttemptRow).where(AttemptRow.at <= since))
        by_name, by_address = AttemptRow.name == name, AttemptRow.address == address
        for which, limit in (
            (by_name & by_address, self.limits.name_from_address),
            (by_address, self.limits.address),
            (by_name, self.limits.name),
        ):
            self._check(change, which, limit)
        change.session.add(AttemptRow(name=name, address=address, at=change.now))

    def _check(self, change: Change, which: ColumnElement[bool], limit: int) -> None:
        newest_first = select(AttemptRow.at).where(which).order_by(AttemptRow.at.desc())
        frees = change.session.scalar(newest_first.offset(limit - 1).limit(1))
        if frees is not None:  # the try whose passing out of the window makes room
            wait = frees + self.limits.window - change.now
            raise TooMany("too many tries to log in", wait.total_seconds())
