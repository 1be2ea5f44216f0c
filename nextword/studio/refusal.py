"""Every refusal as one form of JSON: {"error": {"code", "message", "facts"}}.

The message is English and for people; a page translates by the code and falls back to the message. What was
sent is never repeated in it: a password that does not fit would otherwise end up in a log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextword.common.errors import BadInput, NextwordError
from nextword.label.refusals import Conflict, NoSuch, NotAllowed, NotSignedIn, Refused, TooMany

STATUS: dict[type[NextwordError], int] = {
    NotSignedIn: 401,
    NotAllowed: 403,
    NoSuch: 404,
    Conflict: 409,
    TooMany: 429,
    BadInput: 400,
}
"""The first that fits; anything else of ours is the database or the disk: 503."""
CODES = {400: "unusable", 404: "no_such", 405: "method", 413: "too_large", 415: "invalid"}


def refusal(
    status: int,
    code: str,
    message: str,
    facts: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response; half characters in a message become question marks."""
    said = {"error": {"code": code, "message": message, "facts": dict(facts or {})}}
    body = json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, status, dict(headers or {}), media_type="application/json")


def add_refusals(app: FastAPI) -> None:
    """Let the app answer our errors, FastAPI's and Starlette's in this form."""
    for error, answer in (
        (NextwordError, _ours),
        (RequestValidationError, _invalid),
        (HTTPException, _http),
        (PoolTimeout, _busy),
        (OSError, _disk),
    ):
        app.add_exception_handler(error, answer)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, NextwordError), "it is registered for these only"
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 503)
    code = error.code if isinstance(error, Refused) else "unusable" if status == 400 else "database"
    facts = error.facts if isinstance(error, Refused) else {}
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooMany) else {}
    return refusal(status, code, str(error), facts, headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "it is registered for these only"
    fields = [{"at": ".".join(map(str, each["loc"])), "why": each["msg"]} for each in error.errors()]
    message = "; ".join(f"{each['at']}: {each['why']}" for each in fields[:5])
    return refusal(422, "invalid", message, {"fields": fields[:50]})


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is registered for these only"
    return refusal(
        error.status_code,
        CODES.get(error.status_code, "unusable"),
        str(error.detail),
        headers=error.headers,
    )


async def _busy(request: Request, error: Exception) -> Response:
    return refusal(503, "database", "the database is busy; try again", headers={"Retry-After": "5"})


async def _disk(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError), "it is registered for these only"
    return refusal(503, "database", f"the disk refuses: {error.strerror or 'no reason given'}")
