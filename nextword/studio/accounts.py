"""Logging in and out, joining by a link, and the owner's list of people."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from nextword.label.people import Account, Invitation
from nextword.label.person import Role
from nextword.label.refusals import Conflict
from nextword.studio.body import Body, Number, Word
from nextword.studio.door import COOKIE, Actor, House, Session, address_of, let_in, seen
from nextword.studio.first import found
from nextword.studio.settings import Studio

router = APIRouter(prefix="/api", tags=["accounts"])
Token = Annotated[str, Path(max_length=200)]
Secret = str
"""A password: its own rules say how long (label/passwords.py)."""


class Credentials(Body):
    """A name and a password."""

    name: Word
    password: Secret


class NewPassword(Body):
    """One's own password, changed."""

    old: Secret
    new: Secret


class SetPassword(Body):
    """Somebody's password, set by an owner."""

    password: Secret


class SetRole(Body):
    """Somebody's new role."""

    role: Role


class NewInvitation(Body):
    """Whom to invite."""

    role: Role
    days: float = 7
    uses: int = 1


class Joining(Body):
    """What a link makes."""

    role: Role
    is_first: bool


class Link(Body):
    """An invitation, told once."""

    token: str
    path: str


class AccountList(Body):
    """Everybody."""

    people: list[Account]


class InvitationList(Body):
    """The invitations that still hold."""

    invitations: list[Invitation]


@router.get("/session")
def session(studio: House, request: Request) -> Session:
    """Who is logged in."""
    return seen(studio, request.cookies.get(COOKIE))


@router.post("/session")
def login(studio: House, request: Request, response: Response, given: Credentials) -> Session:
    """Log in."""
    opened = studio.office.sessions.login(given.name, given.password, address_of(request))
    return let_in(studio, opened, response)


@router.delete("/session", status_code=204)
def logout(studio: House, actor: Actor, request: Request, response: Response) -> None:
    """Log out."""
    studio.office.sessions.logout(request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE, path="/")


@router.delete("/sessions", status_code=204)
def logout_everywhere(studio: House, actor: Actor, response: Response) -> None:
    """Log out on every machine."""
    studio.office.sessions.logout_everywhere(actor)
    response.delete_cookie(COOKIE, path="/")


@router.put("/password", status_code=204)
def change_password(studio: House, actor: Actor, response: Response, given: NewPassword) -> None:
    """Change one's own password; all one's sessions end."""
    studio.office.people.change_password(actor, given.old, given.new)
    response.delete_cookie(COOKIE, path="/")


@router.get("/join/{token}")
def joining(studio: House, token: Token) -> Joining:
    """What this link makes of who opens it."""
    if _is_first(studio, token):
        return Joining(role="owner", is_first=True)
    return Joining(role=studio.office.people.invited_as(token), is_first=False)


@router.post("/join/{token}")
def join(studio: House, token: Token, request: Request, response: Response, given: Credentials) -> Session:
    """Make the account and log in."""
    if _is_first(studio, token):
        found(studio.office, given.name, given.password)
    else:
        studio.office.people.accept(token, given.name, given.password)
    return login(studio, request, response, given)


@router.get("/people")
def people(studio: House, actor: Actor) -> AccountList:
    """Everybody (owners)."""
    return AccountList(people=studio.office.people.accounts(actor))


@router.put("/people/{person}/role", status_code=204)
def set_role(studio: House, actor: Actor, person: Number, given: SetRole) -> None:
    """Give somebody another role (owners)."""
    studio.office.people.set_role(actor, person, given.role)


@router.put("/people/{person}/password", status_code=204)
def set_password(studio: House, actor: Actor, person: Number, given: SetPassword) -> None:
    """Set a password that was forgotten (owners)."""
    studio.office.people.reset_password(actor, person, given.password)


@router.delete("/people/{person}", status_code=204)
def retire(studio: House, actor: Actor, person: Number) -> None:
    """Close an account (owners)."""
    studio.office.people.retire(actor, person)


@router.get("/invitations")
def invitations(studio: House, actor: Actor) -> InvitationList:
    """The invitations that still hold (owners)."""
    return InvitationList(invitations=studio.office.people.invitations(actor))


@router.post("/invitations", status_code=201)
def invite(studio: House, actor: Actor, given: NewInvitation) -> Link:
    """Invite (owners); the link is told once."""
    token = studio.office.people.invite(actor, given.role, given.days, given.uses)
    return Link(token=token, path=f"/join/{token}")


@router.delete("/invitations/{invitation}", status_code=204)
def withdraw(studio: House, actor: Actor, invitation: Number) -> None:
    """Make an invitation void (owners)."""
    studio.office.people.withdraw(actor, invitation)


def _is_first(studio: Studio, token: str) -> bool:
    """Whether this is the terminal's link, and nobody has used it."""
    given, kept = token.encode("utf-8", "replace"), studio.first_link.encode()
    if not kept or not hmac.compare_digest(given, kept):
        return False
    if studio.office.people.owner() is not None:
        raise Conflict("the first link has been used", do="log in")
    return True
