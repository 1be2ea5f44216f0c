"""The application: routes of the API, the pages, and the shield before them.

    app = label_app(office, StudioSettings())

Handlers are plain functions over the office, run in a few threads: a login takes 64 MiB for its hash, and a
database has so many connections. What they return are the office's own dataclasses, from which the OpenAPI
document at /api/openapi.json is made. Nothing here loads torch.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from anyio import to_thread
from fastapi import FastAPI

from nextword import __version__
from nextword.common.language_model import LanguageModel
from nextword.label.office import Office
from nextword.studio import accounts, machines, pages, projects, quizzes, records, review, work
from nextword.studio.refusal import add_refusals
from nextword.studio.settings import Studio, StudioSettings
from nextword.studio.shield import Shield

THREADS = 12


def label_app(
    office: Office,
    settings: StudioSettings | None = None,
    models: Sequence[LanguageModel] = (),
    first_link: str = "",
) -> FastAPI:
    """The labelling pages over an office. models: for the arena; first_link: the secret of `/join/` that
    makes the first owner. The caller closes the office."""
    settings = settings or StudioSettings()
    app = FastAPI(
        title="nextword label",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # its scripts come from elsewhere
        redoc_url=None,
        lifespan=_few_threads,
        redirect_slashes=False,
    )
    app.state.studio = Studio(office, settings, models, first_link)
    add_refusals(app)
    for part in (accounts, projects, quizzes, work, review, machines, records, pages):
        app.include_router(part.router)
    app.add_middleware(
        Shield,
        public_host=settings.public_host.lower(),
        is_secure=settings.is_secure,
        import_bytes=settings.import_mib << 20,
    )
    return app


@contextlib.asynccontextmanager
async def _few_threads(app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield
