"""Worked examples as plain text or as turns, nearest last, as many as fit."""

from __future__ import annotations

import pytest

from nextword.common.language_model import LanguageModel, Request, Sampling
from nextword.common.records import Conversation, Message
from nextword.engine import wrap
from nextword.engine.fake import FakeModel
from nextword.evaluate.exam import answers
from nextword.evaluate.few_shot import FewShot, as_text, nearest
from nextword.evaluate.task import Questions, answered, open_book
from nextword.tokenizer.tokenizer import Tokenizer
from tests.evaluate.conftest import question


def examples(*worked):
    return Questions("docs", [], {}, worked).examples


def asked(name="oven.bake", type="signature", lang="en"):
    return Questions("docs", [question(name, type, lang)]).conversations[0]


def test_a_base_model_reads_questions_and_answers_as_plain_text():
    model = FakeModel("ok")
    answers(FewShot(model, examples(question("oven.cool"))), [asked()])
    assert model.said[0].prompt == (
        "Question: What is the signature of oven.cool?\n"
        'Answer: "cool(bread, rack=None)" is what the page says.\n\n'
        "Question: What is the signature of oven.bake?\n"
        "Answer:"
    )


def test_a_korean_question_is_labelled_in_korean():
    text = as_text(asked(lang="ko"), examples(question("oven.cool", lang="ko")))
    assert text.startswith("질문: oven.cool의 시그니처가 뭐예요?\n답: ")
    assert text.endswith("질문: oven.bake의 시그니처가 뭐예요?\n답:")


def test_a_page_and_a_preface_are_shown_too():
    conversation = open_book("docs", [question()]).conversations[0]
    preface = Conversation([Message("system", "Quote the page."), *conversation.messages])
    assert as_text(preface, []) == (
        "Quote the page.\n\n"
        "Question: What is the signature of oven.bake?\n"
        "Page: oven\nbake(dough, minutes=30)\n    Do what bake says.\n"
        "Answer:"
    )


def test_the_preface_of_an_example_is_not_repeated():
    example = answered(Conversation([Message("system", "Be brief."), Message("user", "a?")]), "b")
    assert as_text(Conversation([Message("user", "c?")]), [example]) == (
        "Question: a?\nAnswer: b\n\nQuestion: c?\nAnswer:"
    )


def test_the_nearest_example_is_of_the_same_language_and_type_and_comes_last():
    worked = examples(
        question("oven.cool", "description", "ko"),
        question("oven.slice", "signature", "en"),
        question("oven.store", "description", "en"),
    )
    found = nearest(worked, asked(), 2)
    assert [one.meta["id"] for one in found] == ["oven.store:description:en", "oven.slice:signature:en"]


def test_another_language_is_shown_only_where_there_is_none_of_the_question():
    korean, english = question("oven.cool", lang="ko"), question("oven.slice", "description")
    assert [one.meta["lang"] for one in nearest(examples(korean, english), asked(), 2)] == ["en"]
    assert [one.meta["lang"] for one in nearest(examples(korean), asked(), 2)] == ["ko"]


def test_an_example_about_the_same_function_is_never_shown():
    worked = examples(question("oven.bake", "description"), question("oven.bake", lang="ko"))
    assert nearest(worked, asked(), 3) == []


def test_only_as_many_examples_are_shown_as_leave_room_for_an_answer():
    worked = examples(*(question(name) for name in ("oven.cool", "oven.slice", "oven.store")))
    shown = {}
    for context in (4096, 160, 60):
        model = FakeModel("ok", context=context)
        list(FewShot(model, worked).generate([Request(asked(), Sampling(max_new_tokens=40))]))
        shown[context] = model.said[0].prompt.count("Question:") - 1
    assert shown[4096] == 3
    assert 0 < shown[160] < 3
    assert shown[60] == 0


def test_a_model_on_this_machine_counts_its_own_tokens(tiny_model, tiny_tokenizer_folder):
    model = wrap(tiny_model, Tokenizer.load(tiny_tokenizer_folder))
    worked = examples(*(question(name) for name in ("oven.cool", "oven.slice", "oven.store")))
    few = FewShot(model, worked)
    reply = answers(few, [asked()], Sampling(temperature=0, max_new_tokens=8))[0]
    assert reply.end != "failed"


def test_an_answer_ends_with_its_line_where_the_examples_have_one_line():
    model = FakeModel(" bake(dough)\nQuestion: What else?")
    few = FewShot(model, examples(question("oven.cool")))
    assert answers(few, [asked()])[0].text == "bake(dough)"


def test_an_answer_of_many_lines_ends_before_the_next_question():
    model = FakeModel(" 1 + 1 = 2\n#### 2\nQuestion: What else?")
    example = answered(Conversation([Message("user", "1 + 2?")]), "1 + 2 = 3\n#### 3")
    assert answers(FewShot(model, [example]), [asked()])[0].text == "1 + 1 = 2\n#### 2"


def test_examples_may_be_earlier_turns():
    model = FakeModel("ok")
    answers(FewShot(model, examples(question("oven.cool")), as_turns=True), [asked()])
    prompt = model.said[0].prompt
    assert [message.role for message in prompt.messages] == ["user", "assistant", "user"]
    assert model.said[0].stop == ()
    assert prompt.meta["id"] == "oven.bake:signature:en"


def test_a_text_is_passed_on_and_so_is_everything_else():
    inner = FakeModel("one two")
    few = FewShot(inner, examples(question("oven.cool")))
    assert isinstance(few, LanguageModel)
    list(few.generate([Request("plain text")]))
    assert inner.said[0].prompt == "plain text"
    assert few.score("x", "one") == inner.score("x", "one")
    assert few.capabilities == inner.capabilities
    few.cancel("nothing")


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_language_is_read_from_the_question_where_it_is_not_told(lang):
    told = asked(lang=lang)
    untold = Conversation(told.messages)
    assert as_text(told, []) == as_text(untold, [])
