"""Comparisons that a rule makes, at the desk, of answers that a model gave."""

from dataclasses import replace

import pytest

from nextword.common.dialogue import read_comparisons, read_conversations, write_conversations
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message, read_records
from nextword.data.questions import Question, write_questions
from nextword.data.seed import FURTHER
from nextword.engine.fake import FakeModel
from nextword.evaluate.answers import words_f1
from nextword.recipes.compared_by_rule import (
    ComparingSettings,
    compared_by_rule,
    confused,
    misquoted,
    questions,
)

KNOWN = {"What is abs for?": "Return the absolute value.", "기본값은?": "기본값은 None입니다."}
ANSWERS = ("Return the absolute value.", "Return a value of some kind.", "기본값은 None입니다.", "")


@pytest.fixture
def seed(tmp_path):
    def row(asked: str, number: int, **meta) -> Conversation:
        messages = [Message("user", asked), Message("assistant", KNOWN[asked])]
        return Conversation(messages, meta={"form": "open-book", **meta})

    rows = [row(asked, number, question=f"q{number}") for number, asked in enumerate(KNOWN)]
    write_conversations(tmp_path / "seed" / "train.jsonl", [*rows, row("기본값은?", 9)])
    return tmp_path / "seed"


def test_the_answer_nearer_to_the_known_one_is_chosen(seed, tmp_path):
    model = FakeModel(lambda request: ANSWERS[request.seed % 4])
    done = compared_by_rule(ComparingSettings(), model, seed, tmp_path / "out")
    assert done == {"questions": 2, "tasks": 2, "labelled": 2, "comparisons": done["comparisons"]}
    pairs = [
        (pair.prompt[0].content, pair.chosen[0].content, pair.rejected[0].content) for pair in made(tmp_path)
    ]
    assert {(prompt, chosen) for prompt, chosen, _ in pairs} >= set(KNOWN.items())
    assert all(
        words_f1(chosen, KNOWN[prompt]) > words_f1(rejected, KNOWN[prompt])
        for prompt, chosen, rejected in pairs
    )


def test_every_record_says_that_a_rule_made_it(seed, tmp_path):
    model = FakeModel(lambda request: ANSWERS[request.seed % 4])
    compared_by_rule(ComparingSettings(), model, seed, tmp_path / "out")
    assert all(
        "rule:f1" in str(record["meta"]) for record in read_records(tmp_path / "out/comparisons.jsonl")
    )


def test_it_begins_anew_each_time(seed, tmp_path):
    model = FakeModel(lambda request: ANSWERS[request.seed % 4])
    first, again = (compared_by_rule(ComparingSettings(), model, seed, tmp_path / "out") for _ in range(2))
    assert first == again


def test_only_questions_of_the_seed_data_are_asked_and_at_most_so_many(seed):
    assert len(questions(ComparingSettings(), seed)) == 2
    assert len(questions(ComparingSettings(questions=1), seed)) == 1


def test_a_model_with_one_answer_gives_nothing_to_compare(seed, tmp_path):
    with pytest.raises(BadInput, match="one answer"):
        compared_by_rule(ComparingSettings(known=False), FakeModel("always this"), seed, tmp_path / "out")


def test_the_known_answer_is_compared_too_and_named(seed, tmp_path):
    compared_by_rule(ComparingSettings(answers=1), FakeModel("always this"), seed, tmp_path / "out")
    assert {pair.prompt[0].content: pair.chosen[0].content for pair in made(tmp_path)} == KNOWN
    by = {
        answer["by"]
        for record in read_records(tmp_path / "out/answers.jsonl")
        for answer in record["answers"]
    }
    assert by == {"assistant", "seed"}


PAGE = """math (version 3.11.2)  index
floor(x, /)
    Return the least integer.
round(x, /)
    Return the nearest one."""


def about_a_page(answer):
    messages = [Message("user", "How do I call round?"), Message("tool", PAGE, name="search")]
    return Conversation(
        [*messages, Message("assistant", answer)], meta={"form": "open-book", "question": "q"}
    )


def test_a_misquotation_says_the_same_of_another_place_of_the_page():
    made = misquoted(about_a_page('"round(x, /)" is how it is called.'), {})
    assert made[0] == '"floor(x, /)" is how it is called.'
    for text in made:
        quote = text.removeprefix('"').removesuffix('" is how it is called.')
        assert quote in PAGE and quote not in "round(x, /)"


def question(type: str, gold: str, name: str = "round") -> Question:
    return Question(f"{name}:{type}", type, "en", "?", f'"{gold}" it is.', [gold], "", f"math.{name}", "")


def test_a_confusion_answers_another_question_about_the_same_entry():
    one = about_a_page('"round(x, /)" is how it is called.')
    one = replace(one, meta={**one.meta, "type": "signature", "lang": "en", "function": "math.round"})
    told = [question("description", "Return the nearest one."), question("kind", "round(x, /)")]
    others = [question("signature", "floor(x, /)"), question("default", "ndigits=2"), *told]
    assert confused(one, {("math.round", "en"): others}) == ['"Return the nearest one." it is.']
    assert confused(one, {("math.floor", "en"): others, ("math.round", "ko"): others}) == []


def test_confusions_and_misquotations_lose_and_are_named(tmp_path):
    one = about_a_page('"round(x, /)" is how it is called.')
    meta = {**one.meta, "type": "signature", "lang": "en", "function": "math.round"}
    write_conversations(tmp_path / "seed/train.jsonl", [replace(one, meta=meta)])
    write_questions(tmp_path / "seed" / FURTHER, [question("description", "Return the nearest one.")])
    compared_by_rule(ComparingSettings(), FakeModel("no idea"), tmp_path / "seed", tmp_path / "out")
    (record,) = read_records(tmp_path / "out/answers.jsonl")
    assert [each["by"] for each in record["answers"]] == ["assistant", "seed", "confusion", "misquotation"]
    assert {pair.chosen[0].content for pair in made(tmp_path)} == {'"round(x, /)" is how it is called.'}


@pytest.mark.parametrize("answer", ["The page does not say.", '"trunc(x, /)" is how it is called.'])
def test_what_quotes_nothing_of_its_page_cannot_be_misquoted(answer):
    assert misquoted(about_a_page(answer), {}) == []


def test_where_the_page_does_not_say_a_misquotation_says_that_it_does():
    one = about_a_page("The page does not say.")
    one = Conversation(one.messages, meta={**one.meta, "type": "signature", "lang": "en"})
    manner = '"indent(text, n)" is how it is called.'
    made = misquoted(one, {("signature", "en"): manner})
    assert made[0].endswith('" is how it is called.') and made[0].split('"')[1] in PAGE
    assert misquoted(one, {("signature", "ko"): manner}) == []


def test_every_third_quotation_is_compared_with_the_claim_that_the_page_does_not_say():
    asked = [about_a_page('"round(x, /)" is how it is called.') for _ in range(60)]
    for number, one in enumerate(asked):
        one.meta.update(lang="en", question=f"q{number}")
        one.messages[0] = Message("user", f"How do I call round, {number}?")
    denied = [misquoted(one, {}).count("The page does not say.") for one in asked]
    assert set(denied) == {0, 1} and 8 < sum(denied) < 32


def test_misquotations_lose_and_are_named(tmp_path):
    write_conversations(
        tmp_path / "seed" / "train.jsonl", [about_a_page('"round(x, /)" is how it is called.')]
    )
    model = FakeModel('"round(x, /)" is how it is called.')
    compared_by_rule(ComparingSettings(answers=1), model, tmp_path / "seed", tmp_path / "out")
    for pair in made(tmp_path):
        assert "round(x, /)" in pair.chosen[0].content and "round(x, /)" not in pair.rejected[0].content
    (record,) = read_records(tmp_path / "out/answers.jsonl")
    assert [one["by"] for one in record["answers"]] == ["assistant", "misquotation", "misquotation"]


@pytest.mark.parametrize(("answers", "wrong", "all"), [(1, 3, 4), (4, 3, 4), (1, 0, 2)])
def test_no_more_than_four_answers_are_compared_at_once(tmp_path, answers, wrong, all):
    known = '"round(x, /)" is how it is called.'
    write_conversations(tmp_path / "seed" / "train.jsonl", [about_a_page(known)])
    model = FakeModel(lambda request: f"answer {request.seed}")
    settings = ComparingSettings(answers=answers, wrong=wrong)
    compared_by_rule(settings, model, tmp_path / "seed", tmp_path / "out")
    (record,) = read_records(tmp_path / "out/answers.jsonl")
    assert len(record["answers"]) == all and known in [one["text"] for one in record["answers"]]


def test_only_the_best_answers_are_ever_chosen(tmp_path):
    known = '"round(x, /)" is how it is called.'
    write_conversations(tmp_path / "seed" / "train.jsonl", [about_a_page(known)])
    model = FakeModel(lambda request: '"floor(x)" is how.' if request.seed else '"round(x)" is how.')
    compared_by_rule(ComparingSettings(), model, tmp_path / "seed", tmp_path / "out")
    assert {pair.chosen[0].content for pair in made(tmp_path)} == {known}


def test_what_people_wrote_is_asked_too(seed):
    own = [Conversation([Message("user", f"Hello {n}?"), Message("assistant", "Hi.")]) for n in range(9)]
    long = Conversation([*own[0].messages, *own[1].messages])
    write_conversations(seed / "own.jsonl", [*own, long])
    found = questions(ComparingSettings(questions=4, own=0.5), seed)
    asked = [str(one.messages[0].content) for one in found]
    assert len(asked) == 4 and sum(text.startswith("Hello") for text in asked) == 2
    assert all(len(one.messages) == 2 for one in found)
    assert len(questions(ComparingSettings(questions=4, own=0), seed)) == 2


def test_what_was_learnt_is_asked_last(seed):
    every = {len(questions(ComparingSettings(learnt=count), seed)) for count in range(4)}
    assert every == {2}
    for learnt, first in ((1, "기본값은?"), (2, "기본값은?")):
        found = questions(ComparingSettings(questions=1, learnt=learnt, own=0), seed)
        assert [one.messages[0].content for one in found] == [first]


def test_what_no_page_is_shown_for_is_not_asked(seed, tmp_path):
    rows = [Conversation(one.messages, meta={**one.meta, "form": "closed-book"}) for one in asked(seed)]
    write_conversations(seed / "train.jsonl", [*rows[:1], *asked(seed)[1:]])
    assert len(questions(ComparingSettings(), seed)) == 1


def test_seed_data_without_questions_is_refused(tmp_path):
    write_conversations(tmp_path / "seed" / "train.jsonl", [])
    with pytest.raises(BadInput, match="no question"):
        compared_by_rule(ComparingSettings(), FakeModel("x"), tmp_path / "seed", tmp_path / "out")


def asked(seed):
    return list(read_conversations(seed / "train.jsonl"))


def made(tmp_path):
    return list(read_comparisons(tmp_path / "out" / "comparisons.jsonl"))
