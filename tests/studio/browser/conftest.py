"""The real pages in a real browser: Debian's Chromium, driven by Playwright, against our server on loopback.

The world (an office with people and tasks) is built through the office itself, the pages are used as a person
uses them. Whatever a page prints as an error, every refusal of its content policy too, fails the test.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

WIDE = {"width": 1280, "height": 820}
PHONE = {"width": 360, "height": 740}
SLOW = 30_000  # milliseconds; only how long to hope on a busy machine


def _world() -> ModuleType:
    """world.py beside this file; test folders are no packages."""
    name = "tests_studio_browser_world"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("world.py"))
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def chromium(need) -> Iterator[Any]:
    """The browser; its sandbox needs a user who is not root."""
    program = need("chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SLOW)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=str(program), args=arguments)
        yield browser
        browser.close()


class Studio:
    """A world that is served, and pages of it for whoever is asked for."""

    def __init__(self, world: Any, address: str, browser: Any) -> None:
        self.world, self.address, self.browser = world, address, browser
        self.complaints: list[str] = []
        self.contexts: list[Any] = []

    def page(
        self,
        name: str = "",
        lang: str = "en",
        scheme: str = "light",
        size: dict[str, int] = WIDE,
        path: str = "",
    ) -> Any:
        """A page of a browser of its own, logged in as this person."""
        locale = {"en": "en-GB", "ko": "ko-KR"}[lang]
        context = self.browser.new_context(
            base_url=self.address, locale=locale, color_scheme=scheme, viewport=size
        )
        context.set_default_timeout(SLOW)
        self.contexts.append(context)
        if name:
            login = {"name": name, "password": _world().PASSWORD}
            answer = context.request.post("/api/session", data=login, headers={"Origin": self.address})
            assert answer.ok, answer.text()
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if path:
            page.goto(path)
            page.wait_for_selector("#main h1")
        return page

    def _heard(self, message: Any) -> None:
        """Refusals that a page handles (401, 403, 409) are printed by the browser, too; they are no fault."""
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def leave(self) -> None:
        """Close the browsers; fails where a page has complained."""
        for context in self.contexts:
            context.close()
        complaints, self.complaints, self.contexts = self.complaints, [], []
        assert not complaints, complaints


@pytest.fixture(scope="session")
def serve(chromium) -> Callable[[Any], Any]:
    """Serve a world for as long as a `with` lasts."""
    import contextlib

    from nextword.engine.fake import FakeModel
    from nextword.studio.app import label_app
    from nextword.studio.serving import served
    from nextword.studio.settings import StudioSettings

    @contextlib.contextmanager
    def serving(world: Any) -> Iterator[Studio]:
        models = [FakeModel("A tuple cannot change.", name="tiny-1"), FakeModel("A list.", name="tiny-2")]
        settings = StudioSettings(exports=str(world.folder / "exports"))
        with served(label_app(world.office, settings, models), settings) as address:
            studio = Studio(world, address, chromium)
            try:
                yield studio
            finally:
                studio.leave()
        world.close()

    return serving


@pytest.fixture(scope="module")
def house(serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A world that the tests of a file share, because making one takes longer than most of them."""
    with serve(_world().World(tmp_path_factory.mktemp("house") / "labels.db")) as studio:
        yield studio


@pytest.fixture
def studio(house) -> Iterator[Studio]:
    """A project and a labeller of the test's own, `world.project` and `world.labeller`; the owner is ara."""
    house.world.move_in()
    yield house
    house.leave()


@pytest.fixture(scope="module")
def busy(serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A world after a busy week."""
    world = _world().BusyWorld(tmp_path_factory.mktemp("busy") / "labels.db")
    with serve(world) as studio:
        yield studio


@pytest.fixture(scope="module")
def picturesque(serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The busy world with more labels, and a project in each language with one good example of each kind."""
    world = _world().BusyWorld(tmp_path_factory.mktemp("pictures") / "labels.db", labels=20)
    world.hang_pictures()
    with serve(world) as studio:
        yield studio
