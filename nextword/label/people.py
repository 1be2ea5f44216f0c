"""Accounts: the first owner, invitations, roles, machines, and leaving.

Nobody signs up: the first owner is made on the machine itself, everybody else comes by an invitation link,
which has a role, an end and a number of uses. Nobody is deleted either, because labels keep their author:
who leaves is made inactive, is logged out, and gives back what was reserved. There is always an owner left.
"""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from nextword.common.errors import BadInput
from nextword.label.database import Change, Database
from nextword.label.passwords import Passwords
from nextword.label.person import ROLES, Person, Role
from nextword.label.refusals import Conflict, NoSuch, NotAllowed, NotSignedIn, Unusable
from nextword.label.schema import InvitationRow, PersonRow, SessionRow, SlotRow, lock
from nextword.label.tokens import Mint, kept, mint

LONGEST_NAME = 64


@dataclass(frozen=True)
class Account:
    """A person as the list of people shows them."""

    person: Person
    is_active: bool
    created: datetime


@dataclass(frozen=True)
class Invitation:
    """An invitation that still holds."""

    id: int
    role: Role
    by: str
    uses_left: int
    expires: datetime


class People:
    """Who there is, and how they come and go."""

    def __init__(self, database: Database, passwords: Passwords, mint: Mint = mint) -> None:
        self.database, self.passwords, self.mint = database, passwords, mint

    def found(self, name: str, password: str) -> Person:
        """Make the first owner; Conflict when there is anybody already."""
        with self.database.write(None) as change:
            lock(change.session, PersonRow)
            if change.session.scalar(select(func.count()).select_from(PersonRow)):
                raise Conflict("somebody is here already", do="ask an owner for an invitation")
            return add(change, name, "owner", password=self.passwords.hash(password, name))

    def invite(self, actor: Person, role: Role, days: float = 7, uses: int = 1) -> str:
        """A new invitation's token (the link's secret part), for `uses` people; an owner's right."""
        actor.must("owner", "invite people")
        if role not in ROLES:
            raise BadInput(f"no role {role!r}", do=f"choose from {', '.join(ROLES)}")
        if not (0 < days <= 365 and 1 <= uses <= 10_000):
            raise BadInput("an invitation holds for up to 365 days and 10,000 people")
        token = self.mint()
        with self.database.write(actor) as change:
            row = InvitationRow(
                token=kept(token),
                role=role,
                by_id=actor.id,
                uses_left=uses,
                created=change.now,
                expires=change.now + timedelta(days=days),
            )
            change.session.add(row)
            change.session.flush()
            change.note("invite", f"invitation {row.id}", role=role, days=days, uses=uses)
        return token

    def invited_as(self, token: str) -> Role:
        """The role that an invitation gives; NotSignedIn when it does not hold (any more)."""
        with self.database.read() as session:
            row = session.scalar(select(InvitationRow).where(InvitationRow.token == kept(token)))
            return _holds(row, self.database.clock()).role  # type: ignore[return-value]

    def accept(self, token: str, name: str, password: str) -> Person:
        """Use an invitation: make the account of its role."""
        hashed = self.passwords.hash(password, name)  # slow, so before the transaction
        with self.database.write(None) as change:
            wanted = select(InvitationRow).where(InvitationRow.token == kept(token)).with_for_update()
            row = _holds(change.session.scalar(wanted), change.now)
            row.uses_left -= 1
            return add(change, name, row.role, password=hashed, invitation=row.id)  # type: ignore[arg-type]

    def invitations(self, actor: Person) -> list[Invitation]:
        """The invitations that still hold."""
        actor.must("owner", "see invitations")
        now = self.database.clock()
        wanted = (
            select(InvitationRow, PersonRow.name)
            .join(PersonRow, PersonRow.id == InvitationRow.by_id)
            .where(InvitationRow.uses_left > 0, InvitationRow.expires > now)
            .order_by(InvitationRow.id)
        )
        with self.database.read() as session:
            return [
                Invitation(row.id, row.role, by, row.uses_left, row.expires)  # type: ignore[arg-type]
                for row, by in session.execute(wanted)
            ]

    def withdraw(self, actor: Person, invitation: int) -> None:
        """Make an invitation void."""
        actor.must("owner", "withdraw invitations")
        with self.database.write(actor) as change:
            row = change.session.get(InvitationRow, invitation)
            if row is None:
                raise NoSuch(f"no invitation {invitation}")
            row.uses_left = 0
            change.note("withdraw invitation", f"invitation {invitation}")

    def machine(self, actor: Person, name: str) -> Person:
        """The account of a rule or a model that labels, made at its first use. Its name says what it is."""
        actor.must("owner", "let a machine label")
        with self.database.write(actor) as change:
            row = change.session.scalar(select(PersonRow).where(PersonRow.name == tidy(name)))
            if row is None:
                return add(change, name, "labeller", is_machine=True)
            if not row.is_machine:
                raise Conflict(f"{name} is a person", do="name the machine after what it is, as rule:length")
            return person_of(row)

    def accounts(self, actor: Person) -> list[Account]:
        """Everybody, in the order in which they came."""
        actor.must("owner", "list people")
        with self.database.read() as session:
            rows = session.scalars(select(PersonRow).order_by(PersonRow.id))
            return [Account(person_of(row), row.is_active, row.created) for row in rows]

    def named(self, name: str) -> Person:
        """The active person of this name; NoSuch otherwise."""
        with self.database.read() as session:
            row = session.scalar(select(PersonRow).where(PersonRow.name == tidy(name), PersonRow.is_active))
            if row is None:
                raise NoSuch(f"nobody is called {name}")
            return person_of(row)

    def owner(self) -> Person | None:
        """The owner of longest standing, in whose name the command line acts."""
        with self.database.read() as session:
            wanted = select(PersonRow).where(PersonRow.role == "owner", PersonRow.is_active)
            row = session.scalar(wanted.order_by(PersonRow.id).limit(1))
            return person_of(row) if row else None

    def set_role(self, actor: Person, person: int, role: Role) -> None:
        """Give somebody another role; the last owner keeps theirs."""
        actor.must("owner", "change roles")
        if role not in ROLES:
            raise BadInput(f"no role {role!r}", do=f"choose from {', '.join(ROLES)}")
        with self.database.write(actor) as change:
            row = _row(change, person)
            if row.is_machine:
                raise NotAllowed("a machine is a labeller")
            was, row.role = row.role, role
            _keep_an_owner(change.session)
            change.note("set role", f"person {row.pseudonym}", was=was, now=role)

    def change_password(self, actor: Person, old: str, new: str) -> None:
        """Change one's own password; NotSignedIn when the old one is not right. All one's sessions end."""
        with self.database.read() as session:
            row = session.get(PersonRow, actor.id)
            kept = row.password if row else None
        if not self.passwords.fits(kept, old):
            raise NotSignedIn("the old password is not right", code="wrong_password")
        self._set_password(actor, actor.id, new)

    def reset_password(self, actor: Person, person: int, new: str) -> None:
        """Set the password of somebody who forgot it; an owner's right. All their sessions end."""
        actor.must("owner", "set passwords")
        self._set_password(actor, person, new)

    def _set_password(self, actor: Person, person: int, new: str) -> None:
        with self.database.read() as session:
            row = session.get(PersonRow, person)
            if row is None or row.is_machine:
                raise NoSuch("no such person")
            hashed = self.passwords.hash(new, row.name)
        with self.database.write(actor) as change:
            row = _row(change, person)
            row.password = hashed
            change.session.execute(delete(SessionRow).where(SessionRow.person_id == person))
            change.note("set password", f"person {row.pseudonym}")

    def retire(self, actor: Person, person: int) -> None:
        """Close an account: log out, give back what was reserved; labels stay."""
        actor.must("owner", "close accounts")
        with self.database.write(actor) as change:
            row = _row(change, person)
            row.is_active = False
            _keep_an_owner(change.session)
            change.session.execute(delete(SessionRow).where(SessionRow.person_id == person))
            held = (SlotRow.person_id == person) & ~SlotRow.is_filled
            change.session.execute(update(SlotRow).where(held).values(person_id=None, leased_until=None))
            change.note("retire", f"person {row.pseudonym}")


def add(
    change: Change,
    name: str,
    role: Role,
    password: str | None = None,
    is_machine: bool = False,
    invitation: int | None = None,
) -> Person:
    """A new account, with a pseudonym of its own."""
    name = tidy(name)
    if change.session.scalar(select(PersonRow.id).where(PersonRow.name == name)):
        raise Conflict(f"{name} is taken", do="choose another name", code="name_taken")
    row = PersonRow(
        name=name,
        pseudonym=("m-" if is_machine else "p-") + secrets.token_hex(4),
        role=role,
        is_machine=is_machine,
        is_active=True,
        password=password,
        created=change.now,
    )
    change.session.add(row)
    change.session.flush()
    change.note("join", f"person {row.pseudonym}", role=role, is_machine=is_machine, invitation=invitation)
    return person_of(row)


def person_of(row: PersonRow) -> Person:
    """The account without what only this room needs."""
    return Person(row.id, row.name, row.pseudonym, row.role, row.is_machine)  # type: ignore[arg-type]


def tidy(name: str) -> str:
    """A name in the one form that it is compared in: NFKC, case folded, without spaces around it."""
    name = unicodedata.normalize("NFKC", name).strip().casefold()
    if not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
        raise Unusable(
            f"a name has 1 to {LONGEST_NAME} printable characters",
            do="choose another",
            code="bad_name",
            facts={"most": LONGEST_NAME},
        )
    return name


def _row(change: Change, person: int) -> PersonRow:
    row = change.session.get(PersonRow, person, with_for_update=True)
    if row is None:
        raise NoSuch("no such person")
    return row


def _holds(row: InvitationRow | None, now: datetime) -> InvitationRow:
    if row is None or row.uses_left < 1 or row.expires <= now:
        what = "this invitation does not hold (any more)"
        raise NotSignedIn(what, do="ask for a new one", code="invitation")
    return row


def _keep_an_owner(session: Session) -> None:
    """Called after the change, within the transaction, which a refusal undoes."""
    session.flush()
    wanted = select(PersonRow.id).where(PersonRow.role == "owner", PersonRow.is_active)
    if session.scalar(wanted.limit(1)) is None:
        raise NotAllowed("there must be an owner", do="make somebody else one first")
