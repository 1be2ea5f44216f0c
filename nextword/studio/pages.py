"""The pages themselves: files beside this module, sent with the type that their ending says.

Every path that is neither the API's nor a file's is the one page, whose script reads the path. The types are
written here, because a system's own table may call a script text and a careful browser then refuses it.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from nextword.label.refusals import NoSuch

HERE = Path(__file__).parent / "static"
LOOK = Path(__file__).parents[1] / "common" / "page.css"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
FRESH = {"Cache-Control": "no-cache"}  # ask each time, and be told that nothing changed

router = APIRouter(include_in_schema=False)


@router.api_route("/static/{name:path}", methods=["GET", "HEAD"])
def static(name: str) -> Response:
    """A file; one look serves reports and pages."""
    path = LOOK if name == LOOK.name else (HERE / name)
    try:
        path = path.resolve()
        is_here = path == LOOK or path.is_relative_to(HERE.resolve())
        if not (is_here and path.suffix in TYPES and path.is_file()):
            raise NoSuch("no such file")
    except (OSError, ValueError) as error:  # a name too long, or with NUL in it
        raise NoSuch("no such file") from error
    return FileResponse(path, media_type=TYPES[path.suffix], headers=FRESH)


@router.api_route("/{path:path}", methods=["GET", "HEAD"])
def page(path: str) -> Response:
    """The one page."""
    if path == "api" or path.startswith("api/"):
        raise NoSuch("no such route")
    return FileResponse(HERE / "index.html", media_type=TYPES[".html"], headers=FRESH)
