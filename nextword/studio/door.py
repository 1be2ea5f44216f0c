"""Who is asking: the session's cookie, the proof against forged requests, and the first link.

The cookie is HttpOnly and SameSite=Strict. Whatever changes something also carries `X-CSRF-Token`, which is
an HMAC under the session's secret: a page can know it only by asking us, and nothing more needs to be kept.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response

from nextword import __version__
from nextword.label.person import Person
from nextword.label.refusals import NotAllowed, NotSignedIn
from nextword.label.sessions import Login
from nextword.studio.settings import Studio
from nextword.studio.shield import SAFE

COOKIE = "nextword_session"


@dataclass(frozen=True)
class Session:
    """Who is logged in, if anybody; what to send with every change; whether nobody has an account yet."""

    person: Person | None
    csrf: str | None
    is_new: bool
    version: str = __version__


def studio_of(request: Request) -> Studio:
    """What the app was made with."""
    studio: Studio = request.app.state.studio
    return studio


def actor_of(request: Request, studio: Annotated[Studio, Depends(studio_of)]) -> Person:
    """The person who is logged in; NotSignedIn, or NotAllowed when a change lacks its proof."""
    token = request.cookies.get(COOKIE)
    if not token:
        raise NotSignedIn("not logged in", do="log in")
    person = studio.office.sessions.whose(token)
    given = request.headers.get("x-csrf-token", "").encode("utf-8", "replace")
    if request.method not in SAFE and not hmac.compare_digest(given, csrf_of(token).encode()):
        raise NotAllowed("the request does not prove that it comes from our page", code="csrf")
    return person


House = Annotated[Studio, Depends(studio_of)]
Actor = Annotated[Person, Depends(actor_of)]


def csrf_of(token: str) -> str:
    """What proves that a request comes from a page that may read our answers."""
    return hmac.new(token.encode("utf-8", "replace"), b"nextword csrf", hashlib.sha256).hexdigest()


def seen(studio: Studio, token: str | None) -> Session:
    """The session as the page is told it."""
    if token:
        try:
            return Session(studio.office.sessions.whose(token), csrf_of(token), False)
        except NotSignedIn:
            pass
    return Session(None, None, studio.office.people.owner() is None)


def let_in(studio: Studio, login: Login, response: Response) -> Session:
    """Give the browser its cookie."""
    response.set_cookie(
        COOKIE,
        login.token,
        expires=login.expires,
        path="/",
        secure=studio.settings.is_secure,
        httponly=True,
        samesite="strict",
    )
    return Session(login.person, csrf_of(login.token), False)


def address_of(request: Request) -> str:
    """Where the request comes from, for counting tries."""
    return request.client.host if request.client else "unknown"
