"""Who may come in, and what a request must prove."""

import socket
from urllib.parse import urlsplit

import pytest
from sqlalchemy import delete

from nextword.label.schema import PersonRow

from ..label.conftest import PASSWORD
from .conftest import FIRST


def code(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_session_begins_with_name_and_password_and_ends_with_logging_out(house):
    ann = house.person("ann")
    assert ann.get("/api/session").json()["person"]["name"] == "ann"
    assert ann.delete("/api/session").status_code == 204
    assert ann.get("/api/session").json()["person"] is None


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(house):
    house.club.person("ann")
    answer = house.stranger().post("/api/session", json={"name": "ann", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_a_wrong_password_and_a_wrong_name_are_answered_alike(house):
    house.club.person("ann")
    answers = [
        house.stranger().post("/api/session", json={"name": name, "password": "wrong password"})
        for name in ("ann", "bob")
    ]
    assert answers[0].json() == answers[1].json()
    assert code(answers[0]) == (401, "wrong_login")


def test_after_too_many_tries_even_the_right_password_waits(house):
    house.club.person("ann")
    browser = house.stranger()
    limit = house.club.office.sessions.limits.name_from_address
    for _ in range(limit):
        browser.post("/api/session", json={"name": "ann", "password": "wrong password"})
    answer = browser.post("/api/session", json={"name": "ann", "password": PASSWORD})
    assert code(answer) == (429, "too_many")
    assert int(answer.headers["retry-after"]) == answer.json()["error"]["facts"]["seconds"]


@pytest.mark.parametrize("token", [None, "wrong", "é"])
def test_a_change_without_its_proof_is_refused(house, token):
    ann = house.person("ann")
    project = house.club.project()
    del ann.headers["X-CSRF-Token"]
    headers = {} if token is None else {"X-CSRF-Token": token.encode()}
    assert code(ann.post(f"/api/projects/{project}/next", json={}, headers=headers)) == (403, "csrf")


def test_the_proof_of_one_session_does_not_serve_another(house):
    ann, ben = house.person("ann"), house.person("ben")
    project = house.club.project()
    proof = {"X-CSRF-Token": ben.headers["X-CSRF-Token"]}
    assert code(ann.post(f"/api/projects/{project}/next", json={}, headers=proof)) == (403, "csrf")


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_site_cannot_log_somebody_in(house, headers):
    house.club.person("ann")
    given = {"name": "ann", "password": PASSWORD}
    assert code(house.stranger().post("/api/session", json=given, headers=headers)) == (403, "origin")


def test_a_name_that_is_made_to_point_here_gets_nothing(house):
    answer = house.stranger().get("/api/session", headers={"Host": "rebound.example"})
    assert code(answer) == (403, "host")


def test_a_form_of_another_kind_than_json_is_no_login(house):
    house.club.person("ann")
    answer = house.stranger().post(
        "/api/session", content='{"name":"ann"}', headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 422


def test_an_invitation_s_link_makes_one_account_and_logs_it_in(house):
    owner = house.enter("owner")
    link = owner.post("/api/invitations", json={"role": "reviewer"}).json()
    browser = house.stranger()
    assert browser.get(f"/api{link['path']}").json() == {"role": "reviewer", "is_first": False}
    answer = browser.post(f"/api{link['path']}", json={"name": "rex", "password": PASSWORD})
    assert answer.json()["person"]["role"] == "reviewer"
    assert browser.get("/api/session").json()["person"]["name"] == "rex"
    assert code(house.stranger().get(f"/api{link['path']}")) == (401, "invitation")


def test_the_first_link_makes_the_owner_and_a_project_once(house):
    with house.club.database.write(None) as change:
        change.session.execute(delete(PersonRow))
    browser = house.stranger()
    assert browser.get("/api/session").json()["is_new"]
    assert browser.get(f"/api/join/{FIRST}").json() == {"role": "owner", "is_first": True}
    assert browser.post(f"/api/join/{FIRST}", json={"name": "me", "password": PASSWORD}).status_code == 200
    assert [each["name"] for each in browser.get("/api/projects").json()["projects"]] == ["default"]
    assert code(house.stranger().get(f"/api/join/{FIRST}")) == (409, "conflict")


def test_a_password_that_is_too_short_is_refused_without_being_repeated(house):
    ann = house.person("ann")
    answer = ann.put("/api/password", json={"old": PASSWORD, "new": "secret9"})
    assert code(answer) == (400, "password_length")
    assert "secret9" not in answer.text


def test_a_body_of_the_wrong_shape_is_refused_without_being_repeated(house):
    answer = house.stranger().post("/api/session", json={"name": "ann", "password": ["secret9"]})
    assert code(answer) == (422, "invalid")
    assert "secret9" not in answer.text


def test_a_body_that_is_too_large_is_refused_whatever_length_it_claims(house):
    address = urlsplit(house.address)
    head = f"POST /api/session HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=60) as line:
        line.sendall(f"{head}Content-Length: 9999999\r\n\r\n".encode())
        assert b" 413 " in line.recv(200)
    with socket.create_connection((address.hostname, address.port), timeout=60) as line:
        line.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(3):
            line.sendall(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
        line.sendall(b"0\r\n\r\n")
        assert b" 413 " in line.recv(200)


OWNERS = [
    ("GET", "/api/people"),
    ("GET", "/api/invitations"),
    ("GET", "/api/audit"),
    ("POST", "/api/audit/verify"),
    ("GET", "/api/projects/1/datasets"),
    ("GET", "/api/projects/1/tasks"),
    ("GET", "/api/projects/1/disputes"),
    ("GET", "/api/projects/1/judges"),
    ("GET", "/api/projects/1/flags"),
    ("GET", "/api/projects/1/alone"),
    ("GET", "/api/datasets/1/file"),
    ("POST", "/api/projects/1/import"),
]


def test_a_labeller_reaches_nothing_of_the_owners_and_reviewers(house):
    house.club.project()
    ann = house.person("ann")
    said = {(method, path): code(ann.request(method, path)) for method, path in OWNERS}
    assert said == dict.fromkeys(said, (403, "not_allowed"))


def test_nobody_reaches_anything_without_a_session(house):
    house.club.project()
    browser = house.stranger()
    said = {path: code(browser.request(method, path)) for method, path in OWNERS}
    assert said == dict.fromkeys(said, (401, "not_signed_in"))


def test_every_answer_forbids_what_pages_do_not_need(house):
    for path in ("/", "/api/session", "/static/page.css", "/static/none.js"):
        headers = house.stranger().get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/static/..%2fapp.py", "/static/%00", "/static/app.py", "/api/no"])
def test_no_path_leads_to_a_file_that_is_no_page(house, path):
    assert code(house.stranger().get(path)) == (404, "no_such")


def test_a_closed_account_is_logged_out(house):
    ann = house.person("ann")
    club = house.club.office
    club.people.retire(house.club.owner, club.people.named("ann").id)
    assert ann.get("/api/session").json()["person"] is None
