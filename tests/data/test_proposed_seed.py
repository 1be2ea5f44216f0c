"""Seed data of approved proposals: the folder that a derived seed has, from any documents."""

import json

import pytest

from nextword.common.dialogue import read_conversations, write_conversations
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Document, Message
from nextword.data.phrases import NOT_THERE
from nextword.data.proposed_seed import FILLED, approver, question_of, seed_of_approved, split
from nextword.data.questions import QuestionSettings, read_questions
from nextword.data.seed import OURS

RULE = {"labelled": {"by": [{"who": "x", "machine": "rule:verbatim"}]}}


def quote(number: int) -> str:
    return f"The fee for room {number} is {number} euros."


def row(number: int, answer: str = "", **meta) -> Conversation:
    page = f"Rooms\nRoom {number}\n{quote(number)} Room {number} has a window and two tables."
    messages = [
        Message("user", f"What does room {number} cost?"),
        Message("tool", page, name="search"),
        Message("assistant", answer or f'"{quote(number)}" (Rooms)'),
    ]
    return Conversation(messages, meta={"url": f"http://hotel.test/{number}", **RULE, **meta})


@pytest.fixture(scope="module")
def seed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("approved")
    write_conversations(folder / "approved.jsonl", [*map(row, range(240)), row(300, "Ask at the desk.")])
    return folder / "seed", seed_of_approved(QuestionSettings(), folder / "approved.jsonl", folder / "seed")


def test_the_folder_has_the_files_of_a_derived_seed(seed):
    assert {path.name for path in seed[0].iterdir()} == set(OURS) - {"searched.jsonl"}
    assert json.loads((seed[0] / "seed.json").read_text())["approved"] == 241


def test_no_answer_stands_on_both_sides(seed):
    learnt, held = (
        {one.gold[0] for one in read_questions(seed[0] / f"questions.{side}.jsonl")}
        for side in ("train", "heldout")
    )
    assert (len(learnt), len(held)) == (180, 60) and not learnt & held
    said = " ".join(str(one.messages[-1].content) for one in read_conversations(seed[0] / "train.jsonl"))
    assert not any(quote in said for quote in held)


def test_every_question_is_learnt_with_its_page_and_copying_fills_up(seed):
    rows = list(read_conversations(seed[0] / "train.jsonl"))
    forms = [one.meta["form"] for one in rows]
    assert len(rows) == FILLED and forms.count("open-book") == 180 and forms.count("written") == 1
    assert forms.count("closed-book") > 40 and forms.count("wrong-page") > 20
    wrong = next(one for one in rows if one.meta["form"] == "wrong-page")
    assert wrong.messages[-1].content == NOT_THERE["en"]


def test_every_record_says_who_approved_it(seed):
    rows = [one for one in read_conversations(seed[0] / "train.jsonl") if one.meta["form"] != "copying"]
    assert {one.meta["approved_by"] for one in rows} == {"rule:verbatim"}
    assert seed[1]["by"] == {"rule:verbatim": 241}


def test_the_pages_other_sentences_are_read_too_and_held_out_ones_are_not(tmp_path):
    pages = [
        Document.of(
            f"# Floor {n}\n\nThe {n}th floor has {n + 7} windows. {quote(n)}", f"u{n}", title=f"Floor {n}"
        )
        for n in range(240)
    ]
    write_conversations(tmp_path / "approved.jsonl", map(row, range(240)))
    seed_of_approved(QuestionSettings(), tmp_path / "approved.jsonl", tmp_path / "seed", pages)
    rows = list(read_conversations(tmp_path / "seed" / "train.jsonl"))
    forms = [one.meta["form"] for one in rows]
    assert forms.count("open-book") == 3 * 180 and forms.count("reading") > 240
    held = {one.gold[0] for one in read_questions(tmp_path / "seed" / "questions.heldout.jsonl")}
    assert len(held) == 60 and not any(gold in str(one.messages[-1].content) for one in rows for gold in held)


@pytest.mark.parametrize(
    ("meta", "who"),
    [({}, "nobody"), ({"labelled": {"by": [{"who": "ab12"}]}}, "people"), (RULE, "rule:verbatim"),
     ({"labelled": "odd"}, "nobody"), ({"labelled": {"by": []}}, "nobody")],
)  # fmt: skip
def test_who_approved_is_read_from_the_label(meta, who):
    assert approver(Conversation([Message("user", "x")], meta=meta)) == who


@pytest.mark.parametrize("answer", ["Ten euros.", '"Not on the page." (Rooms)', ""])
def test_an_answer_that_does_not_quote_its_page_is_no_question(answer):
    changed = row(1)
    changed.messages[-1] = Message("assistant", answer)
    assert question_of(changed) is None


def test_few_questions_hold_out_a_third_and_adding_some_moves_few():
    few, more = ([question_of(row(number)) for number in range(count)] for count in (30, 36))
    held = {one.id for one in split(few, QuestionSettings())[1]}
    later = {one.id for one in split(more, QuestionSettings())[1]}
    assert len(held) == 10 and len(held & later) >= 7


def test_too_few_quotations_are_refused_and_say_what_to_do(tmp_path):
    write_conversations(tmp_path / "a.jsonl", [row(1), row(2, "Ask.")])
    with pytest.raises(BadInput, match="1 quotations are too few"):
        seed_of_approved(QuestionSettings(), tmp_path / "a.jsonl", tmp_path / "seed")
    assert not (tmp_path / "seed").exists()
