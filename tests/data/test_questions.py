"""Questions: each in both languages, its answer standing in what is shown with it."""

import json
from collections import Counter

import pytest

from nextword.common.errors import BadInput
from nextword.data.facts import unique
from nextword.data.phrases import LANGUAGES, NOUNS, QUESTIONS, ask, with_particle
from nextword.data.questions import (
    TYPES,
    QuestionSettings,
    asked,
    balanced,
    read_questions,
    worded,
    write_questions,
)


@pytest.fixture
def questions(small_pydoc):
    every = list(asked(unique(small_pydoc.facts()), 800))
    return [question for each in every for lang in LANGUAGES if (question := worded(each, lang, 800))]


def of(questions, id):
    return next(question for question in questions if question.id == id)


def test_every_type_is_asked_in_both_languages(questions):
    languages = {(question.type, question.lang) for question in questions}
    assert languages == {(type, lang) for type in TYPES for lang in LANGUAGES}


def test_the_first_accepted_answer_stands_in_the_page_and_begins_the_answer(questions):
    for question in questions:
        assert question.gold[0] in question.page and question.answer.startswith(f'"{question.gold[0]}"')


def test_a_default_is_quoted_with_its_parameter(questions):
    question = of(questions, "shop.price:default:tax:en")
    assert question.gold == ["tax=0.1", "0.1"]
    assert question.answer == '"tax=0.1", so the default is 0.1.'


def test_the_same_question_has_one_answer_in_two_languages(questions):
    one, other = (of(questions, f"shop.Basket.add:description:{lang}") for lang in LANGUAGES)
    assert one.gold == other.gold and one.text != other.text and one.excerpt == other.excerpt


def test_what_has_no_docstring_is_not_described(questions):
    assert not [one for one in questions if one.id.startswith("shop.close:description")]


def test_an_excerpt_is_an_unbroken_stretch_of_the_page_and_no_longer_than_allowed(small_pydoc):
    facts = unique(small_pydoc.facts())
    for each in asked(facts, 300):
        if question := worded(each, "en", 300):
            assert question.excerpt in each.fact.document.text and len(question.excerpt) <= 400


def test_a_name_that_two_modules_have_is_not_asked_for_its_module(small_pydoc):
    one, two = (
        f'def price(n):\n    """Return {what} of something."""\n' for what in ("the price", "the cost")
    )
    facts = unique([*small_pydoc.facts("here", one), *small_pydoc.facts("there", two)])
    assert "module" not in {each.type for each in asked(facts, 800)}


def test_no_answer_has_more_than_its_share(small_pydoc):
    source = "\n".join(
        f'def work{n}(a, b={"None" if n % 2 else n}):\n    """Do the work of {n} people at once."""\n'
        for n in range(60)
    )
    settings = QuestionSettings(page_questions=60)
    chosen = balanced(asked(unique(small_pydoc.facts("work", source)), 800), 20, settings)
    values = Counter(each.value for each in chosen if each.type == "default")
    assert values["None"] == max(1, int(settings.same_answer * values.total())) and values.total() >= 15


def test_asking_for_more_only_adds(small_pydoc):
    every = list(asked(unique(small_pydoc.facts()), 800))
    few, many = (balanced(every, count, QuestionSettings(same_answer=1.0)) for count in (1, 3))
    assert {each.id for each in few} <= {each.id for each in many}


def test_every_wording_can_be_filled_for_every_kind():
    for type, wordings in QUESTIONS.items():
        for lang in LANGUAGES:
            for noun in NOUNS.values():
                fields = {"id": "a.b", "name": "b", "parameter": "n", "noun": noun}
                for number in range(3 * len(wordings[lang])):
                    text = ask(type, lang, str(number), fields)
                    assert "{" not in text and ("a.b" in text or "b" in text)


@pytest.mark.parametrize(
    ("word", "wanted"), [("모듈", "모듈은"), ("함수", "함수는"), ("", "는"), ("x", "x는")]
)
def test_a_particle_fits_the_last_syllable(word, wanted):
    assert with_particle(word, "은") == wanted


def test_questions_are_read_back_as_written(questions, tmp_path):
    assert write_questions(tmp_path / "q.jsonl", questions) == len(questions)
    assert list(read_questions(tmp_path / "q.jsonl")) == questions


STRANGE = dict.fromkeys(("type", "lang", "text", "answer", "url", "function_id", "excerpt"), "") | {"id": 1}


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"id": "a"}, "no `type`"),
        ({"messages": []}, "a field `messages`, which questions have not"),
        (STRANGE | {"gold": ["x"]}, "a field is not a text"),
        (STRANGE | {"id": "a", "gold": []}, "`gold` is not a list of texts"),
    ],
)
def test_a_record_that_is_no_question_is_named(tmp_path, record, says):
    (tmp_path / "q.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(BadInput, match=rf"record 1 is no question \({says}\)"):
        list(read_questions(tmp_path / "q.jsonl"))


def test_shares_that_are_more_than_everything_are_refused():
    with pytest.raises(BadInput, match="more than everything"):
        QuestionSettings(closed_book=0.5, wrong_page=0.3, copying=0.3)
