"""Whatever is sent to any route of the OpenAPI document, it does not break: schemathesis finds no 5xx."""

import contextlib
import json

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, example, given, settings

from nextword.label.database import Database
from nextword.label.refusals import NotSignedIn
from nextword.label.schema import PersonRow
from nextword.studio.app import label_app
from nextword.studio.door import COOKIE, csrf_of
from nextword.studio.serving import served
from nextword.studio.settings import StudioSettings

from ..label.conftest import PASSWORD, Clock, Club
from ..label.odd import MESSAGES, RECORD
from .conftest import models

TAGS = ("accounts", "projects", "quiz", "work", "review", "machines", "records")
FEW = settings(
    max_examples=2,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SOME = settings(FEW, max_examples=10)
MANY = settings(FEW, max_examples=100, derandomize=False)


@pytest.fixture(scope="module")
def club(tmp_path_factory):
    """A club with a task of every kind in the owner's hands."""
    folder = tmp_path_factory.mktemp("schema")
    with Database.open(folder / "labels.db", Clock()) as database:
        club = Club(database, database.clock)
        project = club.project(review_share=1, overlap=2)
        club.prompts(project, 3)
        club.comparisons(project, 3)
        club.add(
            project,
            {"prompt": "q?", "completion": "a"},
            {"messages": [{"role": "user", "content": "q?"}, {"role": "assistant", "content": "a"}]},
        )
        ann = club.person("ann")
        for person in (ann, club.owner):
            club.answer(person, project, {"text": "yes"}, kinds=("write",))
            for kind in ("write", "compare", "rate", "correct"):
                club.office.desk.next(person, project, kinds=(kind,))
        club.exports, club.token = folder / "exports", ""
        yield club


@pytest.fixture(scope="module")
def address(club):
    app = label_app(club.office, StudioSettings(exports=str(club.exports)), models())
    with served(app) as address:
        yield address


@schemathesis.serializer("application/x-ndjson")
def lines(context, value) -> bytes:
    """A JSON Lines body, as it was thought up."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def enter(club: Club) -> str:
    """The owner's session; where a request has ended it, or made a labeller of the owner, all is put back."""
    club.clock.pass_(minutes=1)  # or the logins among the requests would soon be too many
    with contextlib.suppress(NotSignedIn):
        if club.office.sessions.whose(club.token).role == "owner":
            return club.token
    with club.database.write(None) as change:
        row = change.session.get(PersonRow, club.owner.id)
        row.role, row.is_active = "owner", True
    club.office.people.reset_password(club.owner, club.owner.id, PASSWORD)
    club.token = club.office.sessions.login("owner", PASSWORD, "127.0.0.1").token
    return club.token


def call(club: Club, case) -> None:
    """Send it as the owner, with small numbers, so that something is there to be reached."""
    for name, value in (case.path_parameters or {}).items():
        if isinstance(value, int):
            case.path_parameters[name] = value % (2 if name == "project" else 9) + 1
    token = enter(club)
    case.cookies = {COOKIE: token}
    answer = case.call(headers={"X-CSRF-Token": csrf_of(token)}, timeout=120)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"code", "message", "facts"}


def break_it(club: Club, address: str, effort: settings, tag: str) -> None:
    """Requests for every operation with this tag, which hypothesis makes from the document."""
    document = schemathesis.openapi.from_url(f"{address}/api/openapi.json")
    for found in document.include(tag=tag).get_all_operations():

        @effort
        @given(case=found.ok().as_strategy())
        def run(case) -> None:
            call(club, case)

        run()


def break_with(club: Club, address: str, effort: settings) -> None:
    """Odd messages and records where the document says only that there is JSON."""

    @effort
    @given(messages=MESSAGES, record=RECORD)
    @example(messages=[{"role": "assistant", "content": ["x"]}], record={"prompt": "q?", "lang": "\ud800"})
    @example(
        messages=[{"role": "user", "content": "q?"}, {"role": "assistant", "content": ["x"]}],
        record={"messages": [{"role": "user", "content": "q?"}, {"role": "assistant", "content": ["x"]}]},
    )
    def run(messages, record) -> None:
        token = enter(club)
        with httpx.Client(base_url=f"{address}/api", trust_env=False, timeout=120) as browser:
            browser.cookies.set(COOKIE, token)
            browser.headers["X-CSRF-Token"] = csrf_of(token)
            submissions = [
                browser.post(f"/tasks/{task}/submit", json={"answer": {"messages": messages}})
                for task in range(1, 10)
            ]
            for answer in (
                *submissions,
                browser.post("/projects/1/flags", json={"messages": messages, "why": "it is odd"}),
                browser.post("/projects/1/import", content=json.dumps(record)),
            ):
                assert answer.status_code < 500, answer.text

    run()


def test_every_route_is_of_a_part_that_is_tried(address):
    document = httpx.get(f"{address}/api/openapi.json", trust_env=False).json()
    tags = [how["tags"] for route in document["paths"].values() for how in route.values()]
    assert {tag for each in tags for tag in each} == set(TAGS) and [] not in tags


@pytest.mark.parametrize("tag", TAGS)
def test_no_request_breaks_the_server(club, address, tag):
    break_it(club, address, FEW, tag)


def test_no_message_and_no_record_breaks_the_server(club, address):
    break_with(club, address, SOME)


@pytest.mark.slow
def test_no_message_and_no_record_of_many_breaks_the_server(club, address):
    break_with(club, address, MANY)


@pytest.mark.slow
@pytest.mark.parametrize("tag", TAGS)
def test_no_request_of_many_breaks_the_server(club, address, tag):
    break_it(club, address, MANY, tag)
