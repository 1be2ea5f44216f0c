"""A studio served over real HTTP on loopback, with people who are logged in."""

import httpx
import pytest

from nextword.engine.fake import FakeModel
from nextword.label.database import Database
from nextword.studio.app import label_app
from nextword.studio.serving import served
from nextword.studio.settings import StudioSettings

from ..label.conftest import PASSWORD, Clock, Club

FIRST = "the-first-link"


class House:
    """A club whose office is open on the web."""

    def __init__(self, club: Club, address: str) -> None:
        self.club, self.address = club, address
        self.open: list[httpx.Client] = []

    def stranger(self) -> httpx.Client:
        client = httpx.Client(base_url=self.address, timeout=120, trust_env=False)
        self.open.append(client)
        return client

    def enter(self, name: str) -> httpx.Client:
        """A browser in which this person is logged in, and whose page proves itself."""
        client = self.stranger()
        answer = client.post("/api/session", json={"name": name, "password": PASSWORD})
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    def person(self, name: str, role: str = "labeller") -> httpx.Client:
        self.club.person(name, role)
        return self.enter(name)

    def close(self) -> None:
        for client in self.open:
            client.close()


def models():
    return [
        FakeModel("A tuple cannot change.", name="brief"),
        FakeModel("It cannot change, ever.", name="long"),
    ]


@pytest.fixture(scope="module")
def address_and_slot(tmp_path_factory):
    """One server for a module; each test puts a fresh office behind it, since starting one takes longer."""
    folder = tmp_path_factory.mktemp("studio")
    settings = StudioSettings(exports=str(folder / "exports"), import_mib=3)
    app = label_app(None, settings, models(), FIRST)
    with served(app) as address:
        yield address, app.state.studio


@pytest.fixture
def club(tmp_path):
    clock = Clock()
    with Database.open(tmp_path / "labels.db", clock) as database:
        yield Club(database, clock)


@pytest.fixture
def house(club, address_and_slot):
    address, studio = address_and_slot
    studio.office = club.office
    made = House(club, address)
    yield made
    made.close()
