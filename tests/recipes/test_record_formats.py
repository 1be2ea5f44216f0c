"""docs/formats.md shows an example of every record, and the reader of such records reads each of them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nextword.common.dialogue import comparison_of, read_comparisons, read_conversations, read_rated
from nextword.common.records import digest, read_documents, read_records
from nextword.data.proposed_seed import question_of
from nextword.data.questions import read_questions
from nextword.evaluate.exam import read_answers
from nextword.label.database import Database
from nextword.label.guide import read_quiz
from nextword.label.harvest import harvest
from nextword.label.intake import task_of
from nextword.label.kinds import KINDS
from nextword.recipes.lineage import Lineage
from nextword.recipes.round_papers import read_canaries
from nextword.train.prompts import read_prompts
from tests.label.conftest import Club

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
FOUND = re.findall(r"^#+ ([^\n]+)\n((?:(?!^#).)*?)```(jsonl?)\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES = {heading: text for heading, _, _, text in FOUND}


def tasks(path):
    for record in read_records(path):
        task = task_of(record).task
        yield KINDS[task.kind].material(task.material)


def proposals(path):
    for one in read_conversations(path):
        assert question_of(one).gold == [one.meta["quote"]]
        yield one


READERS = {
    "Document": read_documents,
    "Conversation": read_conversations,
    "Comparison": read_comparisons,
    "Rated answer": read_rated,
    "Prompt": read_prompts,
    "Question": read_questions,
    "Proposal": proposals,
    "Task to label": tasks,
    "Label": read_records,
    "Canary": lambda path: read_canaries([path]).conversations,
    "Marked answer": read_answers,
    "The guide and its quiz": read_quiz,
}


def test_every_example_has_a_reader_and_every_record_of_the_table_an_example():
    assert set(EXAMPLES) == {*READERS, "The round's folder"}
    in_table = re.findall(r"^\| \[([^\]]+)\]\(#([a-z-]+)\)", PAGE, re.MULTILINE)
    assert {anchor for _, anchor in in_table} == {
        name.lower().replace(" ", "-") for name in READERS if name != "The guide and its quiz"
    }


@pytest.mark.parametrize("name", READERS)
def test_its_reader_reads_the_example(tmp_path, name):
    path = tmp_path / "example.jsonl"
    path.write_text(EXAMPLES[name], encoding="utf-8")
    assert len(list(READERS[name](path))) == len(EXAMPLES[name].splitlines())


def test_the_document_is_named_by_its_address_and_hashed_by_its_text(tmp_path):
    document = json.loads(EXAMPLES["Document"])
    assert (document["id"], document["sha256"]) == (digest(document["url"])[:16], digest(document["text"]))


def test_the_lineage_is_one(tmp_path):
    (tmp_path / "lineage.json").write_text(EXAMPLES["The round's folder"])
    assert Lineage.read(tmp_path).round == 1


def test_exports_have_the_fields_of_their_examples(tmp_path):
    with Database.open(tmp_path / "labels.db", lambda: datetime(2026, 11, 23, 9, tzinfo=UTC)) as database:
        club = Club(database, None)
        project = club.project()
        club.add(project, {"prompt": "When does zip stop?"}, {"prompt": "q?", "answers": ["one", "two"]})
        club.answer(club.owner, project, {"text": "In time."}, kinds=("write",))
        club.answer(club.owner, project, {"choice": 0}, kinds=("compare",))
        with database.read() as session:
            labels = [row.record for row in harvest(session, project, "labels")]
            (written,) = (row.record for row in harvest(session, project, "conversations"))
            (compared,) = (row.record for row in harvest(session, project, "comparisons"))
    label, export = map(json.loads, re.findall(r"^\{.*$", PAGE[PAGE.index("### Label") :], re.MULTILINE)[:2])
    assert all(set(each) == set(label) for each in labels)
    assert written["meta"].keys() == export["meta"].keys()
    assert written["meta"]["labelled"].keys() == export["meta"]["labelled"].keys()
    assert written["meta"]["labelled"]["by"][0].keys() == export["meta"]["labelled"]["by"][0].keys()
    assert {"chosen_by", "rejected_by"} <= comparison_of(compared).meta.keys()
