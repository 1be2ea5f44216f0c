"""Import: what records become, once, and what is skipped."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextword.common.errors import BadInput
from nextword.label.intake import task_of
from nextword.label.kinds import KINDS
from nextword.label.refusals import NotAllowed
from nextword.label.text import storable

from .odd import RECORD


def said(role: str, content: str) -> dict:
    return {"role": role, "content": content}


ASKED = [said("user", "What is pi?")]
ANSWERED = [*ASKED, said("assistant", "3.14")]
PROPOSED = {
    "question": "What is pi?",
    "answer": "3.14",
    "quote": "pi is 3.14",
    "start": 10,
    "end": 20,
    "document": "d1",
    "url": "http://example.org/pi",
    "lang": "en",
    "by": "rule",
    "score": 0.7,
}


@pytest.mark.parametrize(
    ("record", "kind", "becomes"),
    [
        ({"messages": ANSWERED}, "", "correct"),
        ({"messages": ANSWERED}, "write", "write"),
        ({"messages": ANSWERED}, "rate", "rate"),
        ({"messages": ASKED}, "", "write"),
        ({"prompt": "What is pi?"}, "", "write"),
        ({"prompt": ASKED, "chosen": "3.14", "rejected": "4"}, "", "compare"),
        ({"prompt": ASKED, "answers": ["3.14", {"text": "4", "by": "small"}]}, "", "compare"),
        ({"prompt": ASKED, "completion": "3.14", "label": True}, "", "rate"),
        ({"prompt": ASKED, "completion": "3.14"}, "correct", "correct"),
        (PROPOSED, "", "correct"),
        (PROPOSED, "write", "write"),
    ],
)
def test_a_record_becomes_the_kind_of_task_that_its_fields_say(record, kind, becomes):
    assert task_of(record, kind).task.kind == becomes


def test_a_proposal_keeps_its_quotation_and_where_it_stands(club):
    project = club.project()
    club.add(project, PROPOSED)
    item = club.office.desk.next(club.person("ann"), project)
    assert item.prompt == [said("user", "What is pi?")]
    assert item.material["draft"] == [said("assistant", "3.14")]
    assert item.about["quote"]["quote"] == "pi is 3.14"
    assert (item.about["quote"]["start"], item.about["quote"]["url"]) == (10, "http://example.org/pi")
    assert item.lang == "en"


def test_importing_a_file_again_adds_only_what_is_new(club, tmp_path):
    project, path = club.project(), tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "one?"}\n{"prompt": "two?"}\n')
    first = club.office.intake.read(club.owner, project, path)
    path.write_text('{"prompt": "one?"}\n{"prompt": "two?"}\n{"prompt": "three?"}\n')
    again = club.office.intake.read(club.owner, project, path)
    assert (first.made, first.known, again.made, again.known) == (2, 0, 1, 2)


def test_what_nobody_could_label_is_skipped_and_counted(club):
    done = club.add(
        club.project(),
        {"prompt": "q?", "chosen": "same", "rejected": "same "},
        {"prompt": "q?", "chosen": "good", "rejected": ""},
        {"prompt": "q?", "answers": ["one"]},
        {"prompt": "q?", "chosen": "good", "rejected": "bad"},
    )
    assert done.made == 1
    assert done.skipped == {
        "a comparison with equal sides": 1,
        "an answer is empty": 1,
        "a comparison of 1 answers": 1,
    }
    assert "skipped: a comparison with equal sides" in str(done)


@pytest.mark.parametrize(
    "record",
    [
        {"text": "a document"},
        {"messages": []},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"messages": [said("assistant", "unasked")]},
        {"prompt": "q?", "answers": "abc"},
        {"question": 3, "answer": "x"},
        {"messages": [said("user", "q"), {"role": "assistant", "content": ["x"]}]},
        {"messages": ANSWERED, "tools": 5},
        {"chosen": "a", "rejected": "b"},
    ],
)
def test_a_record_that_is_no_task_is_named_and_nothing_of_its_batch_is_kept(club, tmp_path, record):
    project, path = club.project(), tmp_path / "mixed.jsonl"
    path.write_text('{"prompt": "fine?"}\n' + json.dumps(record) + "\n")
    with pytest.raises(BadInput, match=r"mixed.jsonl: record 2"):
        club.office.intake.read(club.owner, project, path)
    assert club.office.tasks.find(club.owner, project) == []


@given(RECORD, st.sampled_from(["", "write", "correct", "compare", "rate"]))
@example({"messages": [said("user", "q"), {"role": "assistant", "content": ["x"]}]}, "")
@example({"messages": [said("user", "q"), said("assistant", "a")], "criteria": 5}, "rate")
def test_whatever_a_record_holds_it_is_a_task_or_a_refusal(record, kind):
    try:
        task = task_of(record, kind).task
        storable(KINDS[task.kind].material(task.material), "the task")
    except (ValueError, BadInput) as error:
        assert str(error)


@pytest.mark.parametrize("lang", ["\0", "\ud800"])
def test_a_language_that_cannot_be_stored_is_skipped_and_counted(club, lang):
    assert sum(club.add(club.project(), {"prompt": "q?", "lang": lang}).skipped.values()) == 1


def test_a_kind_that_a_record_cannot_become_is_refused(club):
    with pytest.raises(BadInput, match="cannot become a task of the kind compare"):
        club.add(club.project(), {"prompt": "q?"}, kind="compare")


def test_a_missing_file_is_named(club, tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        club.office.intake.read(club.owner, club.project(), tmp_path / "none.jsonl")


def test_a_file_s_own_preference_is_kept_as_a_suggestion(club):
    project = club.project(blind_share=0)
    club.add(project, {"prompt": "q?", "chosen": "good", "rejected": "poor"})
    item = club.office.desk.next(club.person("ann"), project)
    (suggestion,) = item.suggestions
    at = suggestion.answer["ranks"].index(1)
    assert suggestion.by == "import"
    assert item.material["answers"][at]["messages"][0]["content"] == "good"


def test_a_gold_import_needs_known_answers(club):
    done = club.add(club.project(), {"prompt": "q?", "answers": ["a", "b"]}, is_gold=True)
    assert done.skipped == {"a gold item without a known answer": 1}


def test_more_than_one_batch_is_imported(club):
    project = club.project()
    club.prompts(project, 450)
    assert club.office.queues.counts(club.owner, project).pending == 450


def test_only_an_owner_imports(club):
    with pytest.raises(NotAllowed):
        club.office.intake.add(club.person("ann", "reviewer"), club.project(), [{"prompt": "q?"}])
