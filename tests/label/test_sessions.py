"""Logging in, staying logged in, not being guessed."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from nextword.label.passwords import Passwords
from nextword.label.refusals import NotSignedIn, TooMany
from nextword.label.schema import PersonRow
from nextword.label.sessions import Sessions

from .conftest import CHEAP, PASSWORD


@pytest.fixture
def door(club):
    return club.office.sessions


def wrong(door, name="owner", address="here", times=1):
    for _ in range(times):
        with pytest.raises(NotSignedIn):
            door.login(name, "not the password", address)


def test_a_session_holds_until_it_ends(club, door):
    login = door.login("owner", PASSWORD, "here")
    assert door.whose(login.token) == club.owner
    club.clock.now = login.expires - timedelta(seconds=1)
    assert door.whose(login.token) == club.owner
    club.clock.pass_(seconds=1)
    with pytest.raises(NotSignedIn):
        door.whose(login.token)


def test_logging_out_ends_the_session(door):
    token = door.login("owner", PASSWORD, "here").token
    door.logout(token)
    door.logout(token)
    with pytest.raises(NotSignedIn):
        door.whose(token)


def test_logging_out_everywhere_ends_all_of_them(club, door):
    tokens = [door.login("owner", PASSWORD, address).token for address in ("desk", "phone")]
    door.logout_everywhere(club.owner)
    for token in tokens:
        with pytest.raises(NotSignedIn):
            door.whose(token)


def test_a_wrong_name_and_a_wrong_password_are_answered_alike(door):
    said = []
    for name, password in (("owner", "not the password"), ("nobody", PASSWORD), ("owner", "\ud800")):
        with pytest.raises(NotSignedIn) as caught:
            door.login(name, password, "here")
        said.append(str(caught.value))
    assert len(set(said)) == 1


def test_the_sixth_wrong_try_from_one_address_has_to_wait(club, door):
    wrong(door, times=5)
    with pytest.raises(TooMany) as caught:
        door.login("owner", PASSWORD, "here")
    assert caught.value.seconds == 15 * 60
    club.clock.pass_(minutes=15)
    assert door.login("owner", PASSWORD, "here")


def test_somebody_else_s_wrong_tries_do_not_lock_the_owner_out(door):
    wrong(door, address="there", times=5)
    assert door.login("owner", PASSWORD, "here")


def test_an_address_that_tries_many_names_has_to_wait(door):
    for number in range(30):
        wrong(door, name=f"name{number}", address="there")
    with pytest.raises(TooMany):
        door.login("another", PASSWORD, "there")


def test_a_name_that_many_addresses_try_has_to_wait(door):
    for number in range(100):
        wrong(door, address=f"10.0.0.{number}")
    with pytest.raises(TooMany):
        door.login("owner", PASSWORD, "here")


def test_a_right_password_forgives_the_wrong_ones_before(door):
    wrong(door, times=4)
    door.login("owner", PASSWORD, "here")
    wrong(door, times=4)
    assert door.login("owner", PASSWORD, "here")


def test_the_tries_are_counted_by_the_database_not_by_the_process(club, door):
    wrong(door, times=5)
    with pytest.raises(TooMany):
        Sessions(club.database, CHEAP).login("owner", PASSWORD, "here")


def test_a_closed_account_is_logged_out_and_cannot_log_in(club, door):
    ann = club.person("ann")
    token = door.login("ann", PASSWORD, "here").token
    club.office.people.retire(club.owner, ann.id)
    with pytest.raises(NotSignedIn):
        door.whose(token)
    with pytest.raises(NotSignedIn):
        door.login("ann", PASSWORD, "here")


def test_a_machine_cannot_log_in(club, door):
    club.office.people.machine(club.owner, "rule:length")
    with pytest.raises(NotSignedIn):
        door.login("rule:length", "", "here")


def test_changing_the_password_asks_for_the_old_one_and_ends_every_session(club, door):
    token = door.login("owner", PASSWORD, "here").token
    with pytest.raises(NotSignedIn, match="old password"):
        club.office.people.change_password(club.owner, "a guess of mine", "another password")
    club.office.people.change_password(club.owner, PASSWORD, "another password")
    with pytest.raises(NotSignedIn):
        door.whose(token)
    assert door.login("owner", "another password", "here")


def test_a_hash_of_older_costs_is_renewed_at_the_next_login(club, door):
    dearer = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    Sessions(club.database, dearer).login("owner", PASSWORD, "here")
    with club.database.read() as session:
        kept = session.get(PersonRow, club.owner.id).password
    assert "t=2" in kept
    assert dearer.fits(kept, PASSWORD)
