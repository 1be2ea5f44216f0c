"""The audit can be read and not rewritten: triggers, the chain, and what is anchored in it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from nextword.label.refusals import NotAllowed


@pytest.fixture
def worked(club):
    """A club in which somebody has submitted two labels."""
    club.here = club.project()
    club.prompts(club.here, 2)
    ann = club.person("ann")
    club.tasks = [club.answer(ann, club.here, {"text": word}) for word in ("one", "two")]
    return club


def force(club, *statements: str) -> None:
    """What somebody with the database's own tools can do: take the guards away first."""
    is_sqlite = club.database.engine.dialect.name == "sqlite"
    guards = (
        [f"DROP TRIGGER audit_no_{what}" for what in ("update", "delete", "replace")]
        if is_sqlite
        else ["ALTER TABLE audit DISABLE TRIGGER ALL"]
    )
    with club.database.engine.begin() as connection:
        for statement in (*guards, *statements):
            connection.execute(text(statement))


def test_a_day_s_work_verifies(worked):
    found = worked.office.audit.verify()
    assert found.problems == ()
    assert found.entries > 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'somebody else'",
        "DELETE FROM audit WHERE number = 3",
        "DELETE FROM audit",
    ],
)
def test_the_database_itself_refuses_to_change_or_delete_entries(worked, statement):
    with pytest.raises(DBAPIError, match="append-only"), worked.database.engine.begin() as connection:
        connection.execute(text(statement))
    assert not worked.office.audit.verify().problems


def test_neither_replace_nor_truncate_is_a_way_around(worked):
    is_sqlite = worked.database.engine.dialect.name == "sqlite"
    replace = "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE number = 2"
    with pytest.raises(DBAPIError, match="append-only"), worked.database.engine.begin() as connection:
        connection.execute(text(replace if is_sqlite else "TRUNCATE audit"))


def test_an_altered_entry_breaks_the_chain_at_its_place(worked):
    force(worked, "UPDATE audit SET facts = '{}' WHERE number = 4")
    assert worked.office.audit.verify().problems[0] == "entry 4 was altered"


def test_an_entry_that_is_missing_shows(worked):
    force(worked, "DELETE FROM audit WHERE number = 4")
    assert "entries 4 to 4 are missing" in worked.office.audit.verify().problems


def test_a_label_that_was_changed_behind_the_desk_shows(worked):
    forged = """'{"messages": [{"role": "assistant", "content": "forged"}]}'"""
    with worked.database.engine.begin() as connection:
        connection.execute(text(f"UPDATE label SET answer = {forged} WHERE task_id = {worked.tasks[0]}"))
    (problem,) = worked.office.audit.verify().problems
    assert f"on task {worked.tasks[0]} is not what was submitted" in problem


def test_a_history_whose_end_was_cut_off_shows_by_the_datasets_that_were_cut_from_it(worked, tmp_path):
    worked.office.datasets.cut(worked.owner, worked.here, "sft", "conversations", tmp_path / "a.jsonl")
    last = worked.office.audit.verify().entries
    force(worked, f"DELETE FROM audit WHERE number >= {last - 1}")
    assert any("was cut from another history" in each for each in worked.office.audit.verify().problems)


def test_entries_say_who_did_what_under_a_pseudonym(worked):
    (entry,) = [
        each
        for each in worked.office.audit.entries(worked.owner, subject=f"task {worked.tasks[0]}")
        if each.action == "submit"
    ]
    assert entry.facts["answer"] == {"messages": [{"role": "assistant", "content": "one"}]}
    assert entry.actor.startswith("p-")
    assert "ann" not in str(entry)


def test_entries_come_in_pages(worked):
    first = worked.office.audit.entries(worked.owner, limit=3)
    second = worked.office.audit.entries(worked.owner, after=first[-1].number, limit=3)
    assert [each.number for each in (*first, *second)] == [1, 2, 3, 4, 5, 6]


def test_only_an_owner_reads_the_audit(worked):
    with pytest.raises(NotAllowed):
        worked.office.audit.entries(worked.person("ben", "reviewer"))
