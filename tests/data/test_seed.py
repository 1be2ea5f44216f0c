"""Seed data: conversations and held-out questions of a crawl, split by function, the same under one seed."""

import json

import pytest

from nextword.common.dialogue import read_conversations
from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.common.records import Conversation, Message
from nextword.data.archive import ArchiveWriter
from nextword.data.crawl import Limits
from nextword.data.facts import read_facts
from nextword.data.phrases import NOT_THERE
from nextword.data.pydoc_site import Shelf, crawl_pydoc
from nextword.data.questions import QuestionSettings, read_questions
from nextword.data.seed import is_named, names_in, seed_conversations

SETTINGS = QuestionSettings(conversations=400, heldout_questions=48, heldout_percent=40)


def texts(conversation):
    return {message.role: message.content for message in conversation.messages}


@pytest.fixture(scope="module")
def crawl(tmp_path_factory):
    """What the real pydoc site says of two packages."""
    folder = tmp_path_factory.mktemp("site") / "crawl"
    shelves = [Shelf("json", frozenset({"json"})), Shelf("wsgiref", frozenset({"wsgiref"}))]
    with ArchiveWriter(folder, {"origin": "test"}) as archive:
        for page in crawl_pydoc(shelves, Limits(max_pages=60), {}, servers=1):
            archive.write(page)
    return folder


@pytest.fixture(scope="module")
def seed(crawl, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "seed"
    with Progress("seed") as progress:
        made = seed_conversations(SETTINGS, crawl, out, progress)
    return out, made


def test_a_real_site_gives_all_forms_in_both_languages(seed):
    rows = list(read_conversations(seed[0] / "train.jsonl"))
    assert {row.meta["form"] for row in rows} == {"closed-book", "open-book", "wrong-page", "copying"}
    assert {row.meta["lang"] for row in rows} == {"en", "ko"}
    assert len(rows) == seed[1]["train"]["conversations"]


def test_a_page_is_shown_in_a_tool_s_message_that_holds_the_quotation(seed):
    for row in read_conversations(seed[0] / "train.jsonl"):
        said = texts(row)
        assert ("tool" in said) == (row.meta["form"] != "closed-book" and row.meta["type"] != "repeat")
        if row.meta["form"] == "open-book":
            assert said["assistant"].split('"')[1] in said["tool"]
        if row.meta["form"] == "wrong-page":
            assert said["assistant"] == NOT_THERE[row.meta["lang"]]


def test_no_function_is_asked_about_on_both_sides(seed):
    sides = [
        {row.meta["function"] for row in read_conversations(seed[0] / name) if "function" in row.meta}
        for name in ("train.jsonl", "heldout.jsonl")
    ]
    learnt, asked = (
        {question.function_id for question in read_questions(seed[0] / f"questions.{split}.jsonl")}
        for split in ("train", "heldout")
    )
    assert all(sides) and learnt and not (sides[0] | learnt) & (sides[1] | asked)


def test_what_else_may_be_asked_is_of_functions_to_train_on_and_more_than_is_asked(seed):
    further, learnt, held = (
        list(read_questions(seed[0] / f"questions.{name}.jsonl")) for name in ("further", "train", "heldout")
    )
    assert not {one.function_id for one in further} & {one.function_id for one in held}
    assert {one.id for one in learnt} <= {one.id for one in further} and len(further) > len(learnt)
    assert not any(one.excerpt for one in further)


def test_every_held_out_question_is_there_in_both_languages(seed):
    ids = [question.id for question in read_questions(seed[0] / "questions.heldout.jsonl")]
    assert ids and {id[:-2] + "ko" for id in ids if id.endswith("en")} == {
        id for id in ids if id.endswith("ko")
    }


def test_no_held_out_page_s_line_is_copied(seed):
    held = {
        line.strip()
        for question in read_questions(seed[0] / "questions.heldout.jsonl")
        for line in question.excerpt.split("\n")
    }
    rows = read_conversations(seed[0] / "train.jsonl")
    copied = [texts(row)["assistant"].strip('"') for row in rows if row.meta["form"] == "copying"]
    assert copied and not held & set(copied)


def test_the_hand_written_conversations_come_along(seed):
    own = list(read_conversations(seed[0] / "own.jsonl"))
    assert len(own) >= 300 and seed[1]["own"]["conversations"] == len(own)


def test_no_function_that_people_name_is_held_out(crawl, seed):
    own = list(read_conversations(seed[0] / "own.jsonl"))
    names = names_in(own)
    named = {fact.id for fact in read_facts(crawl) if is_named(fact, names)}
    asked = {question.function_id for question in read_questions(seed[0] / "questions.heldout.jsonl")}
    assert "json.dumps" in named and not named & asked


def test_a_seed_gives_the_same_files_and_another_seed_others(crawl, seed, tmp_path):
    for number in (0, 1):
        settings = QuestionSettings(conversations=400, heldout_questions=48, heldout_percent=40, seed=number)
        seed_conversations(settings, crawl, tmp_path / str(number))
    same, other = ((tmp_path / str(number) / "train.jsonl").read_bytes() for number in (0, 1))
    assert same == (seed[0] / "train.jsonl").read_bytes() != other


def test_the_counts_are_those_of_the_files(seed):
    counted = json.loads((seed[0] / "seed.json").read_text())
    for name in ("train", "heldout", "own"):
        assert counted[name]["bytes"] == (seed[0] / f"{name}.jsonl").stat().st_size
        assert (
            sum(n["conversations"] for n in counted[name]["type"].values()) == counted[name]["conversations"]
        )


def test_a_crawl_of_something_else_is_refused_and_leaves_no_folder(tmp_path):
    with ArchiveWriter(tmp_path / "crawl", {"origin": "test"}) as archive:
        archive.resource("http://example.org/", "text/html", b"<title>A page</title><p>No Python here.</p>")
    with pytest.raises(BadInput, match="no pages of Python documentation"):
        seed_conversations(SETTINGS, tmp_path / "crawl", tmp_path / "seed")
    assert not (tmp_path / "seed").exists()


def test_what_lies_in_the_folder_for_the_output_is_never_lost(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train.jsonl").write_text("written by hand")
    with pytest.raises(BadInput, match=r"holds what is not an earlier output \(train\.jsonl\)"):
        seed_conversations(QuestionSettings(), tmp_path / "crawl", tmp_path / "out")


def test_names_are_those_written_as_code():
    said = "A list of `deque`, json.load and sorted(x); `items.append` too."
    found = names_in([Conversation([Message("user", said)])])
    assert found == {"deque", "json.load", "load", "sorted", "items.append", "append"}
