"""Accounts: the first owner, invitations, roles, leaving."""

import pytest

from nextword.common.errors import BadInput
from nextword.label.refusals import Conflict, NoSuch, NotAllowed, NotSignedIn

from .conftest import PASSWORD


def test_there_is_one_first_owner(club):
    with pytest.raises(Conflict, match="somebody is here"):
        club.office.people.found("second", PASSWORD)


def test_an_invitation_makes_an_account_of_its_role_once(club):
    people = club.office.people
    token = people.invite(club.owner, "reviewer")
    assert people.invited_as(token) == "reviewer"
    assert people.accept(token, "ann", PASSWORD).role == "reviewer"
    with pytest.raises(NotSignedIn, match="does not hold"):
        people.accept(token, "ben", PASSWORD)


def test_an_invitation_ends_by_time_or_by_being_withdrawn(club):
    people = club.office.people
    late, withdrawn = people.invite(club.owner, "labeller", days=2), people.invite(club.owner, "labeller")
    (first, second) = people.invitations(club.owner)
    people.withdraw(club.owner, second.id)
    club.clock.pass_(days=2)
    for token in (late, withdrawn, "made up"):
        with pytest.raises(NotSignedIn):
            people.invited_as(token)
    assert first.uses_left == 1


def test_an_invitation_whose_name_is_taken_can_still_be_used(club):
    people = club.office.people
    token = people.invite(club.owner, "labeller")
    with pytest.raises(Conflict, match="is taken"):
        people.accept(token, "Owner", PASSWORD)
    assert people.accept(token, "ann", PASSWORD).name == "ann"


def test_a_link_s_secret_is_not_in_the_database(club, tmp_path):
    token = club.office.people.invite(club.owner, "labeller")
    login = club.office.sessions.login("owner", PASSWORD, "here")
    with club.database.engine.connect() as connection:
        for table in ("invitation", "session", "person", "audit"):
            everything = str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
            assert token not in everything
            assert login.token not in everything
            assert PASSWORD not in everything


@pytest.mark.parametrize("name", ["", "  ", "a" * 65, "two\nlines", "\x1b[2J"])
def test_a_name_that_nobody_can_read_is_refused(club, name):
    token = club.office.people.invite(club.owner, "labeller")
    with pytest.raises(BadInput):
        club.office.people.accept(token, name, PASSWORD)


@pytest.mark.parametrize("password", ["short", "x" * 2000])
def test_a_password_has_ten_characters_and_not_a_thousand(club, password):
    token = club.office.people.invite(club.owner, "labeller")
    with pytest.raises(BadInput, match="characters"):
        club.office.people.accept(token, "ann", password)


def test_a_name_is_the_same_in_every_spelling(club):
    ann = club.person("Ánn 김")
    assert club.office.people.named("  ÁNN 김 ") == ann


@pytest.mark.parametrize("role", ["labeller", "reviewer"])
def test_only_an_owner_invites_lists_and_closes_accounts(club, role):
    ann = club.person("ann", role)
    people = club.office.people
    for forbidden in (
        lambda: people.invite(ann, "labeller"),
        lambda: people.accounts(ann),
        lambda: people.retire(ann, club.owner.id),
        lambda: people.set_role(ann, ann.id, "owner"),
        lambda: people.reset_password(ann, club.owner.id, PASSWORD),
        lambda: people.machine(ann, "rule:x"),
    ):
        with pytest.raises(NotAllowed):
            forbidden()


def test_there_is_always_an_owner_left(club):
    people = club.office.people
    for leave in (
        lambda: people.retire(club.owner, club.owner.id),
        lambda: people.set_role(club.owner, club.owner.id, "labeller"),
    ):
        with pytest.raises(NotAllowed, match="must be an owner"):
            leave()
    ann = club.person("ann")
    people.set_role(club.owner, ann.id, "owner")
    people.retire(club.owner, club.owner.id)
    assert people.owner().name == "ann"


def test_who_leaves_gives_back_what_was_reserved_and_keeps_labels(club):
    project = club.project()
    club.prompts(project, 2)
    ann, ben = club.person("ann"), club.person("ben")
    club.answer(ann, project, {"text": "stays"})
    held = club.office.desk.next(ann, project).task
    club.office.people.retire(club.owner, ann.id)
    assert club.office.desk.next(ben, project).task == held
    with pytest.raises(NoSuch):
        club.office.people.named("ann")
    assert [each.submitted for each in club.office.figures.people(club.owner, project) if each.name == "ann"]


def test_a_machine_has_one_account_and_cannot_take_a_person_s_name(club):
    people = club.office.people
    assert people.machine(club.owner, "rule:length") == people.machine(club.owner, "rule:length")
    club.person("ann")
    with pytest.raises(Conflict, match="is a person"):
        people.machine(club.owner, "ann")
