"""Seed conversations with the passages that the search gives."""

import pytest

from nextword.common.records import Conversation, Document, Message
from nextword.data.follow_ups import FollowUps
from nextword.data.phrases import NOT_THERE
from nextword.data.questions import Question
from nextword.recipes.searched import searched
from nextword.tools.search import Index

OVEN = "oven\n\nbake(dough, minutes=30)\n    Bake the dough.\n"
NONE = FollowUps([])
DISHES = "dishes\n\nbake_tin(size)\n    A tin to bake in.\n"


@pytest.fixture
def index(tmp_path):
    pages = [Document.of(OVEN, "http://docs.test/oven"), Document.of(DISHES, "http://docs.test/dishes")]
    with Index.build(pages, tmp_path / "search.db") as found:
        yield found


def conversation(question: str, answer: str, form: str = "open-book", lang: str = "en") -> Conversation:
    messages = [Message("user", question), Message("tool", "shown before"), Message("assistant", answer)]
    return Conversation(messages, meta={"form": form, "lang": lang, "question": "q"})


def made(one: Conversation, index: Index) -> dict[str, Conversation]:
    return {each.meta["form"]: each for each in searched([one], index, 10, NONE)}


def test_the_passage_that_holds_the_answer_is_shown_with_it(index):
    given = made(conversation("How is bake called?", '"bake(dough, minutes=30)" is how.'), index)["searched"]
    assert [message.role for message in given.messages] == ["user", "tool", "assistant"]
    assert "Bake the dough." in given.messages[1].content
    assert given.messages[2].content == '"bake(dough, minutes=30)" is how.'
    assert given.meta["question"] == "q"


def test_a_passage_found_that_does_not_hold_it_is_answered_so(index):
    one = conversation("bake, bake_tin은 어떻게 부르나요?", '"bake(dough, minutes=30)"입니다.', lang="ko")
    wrong = made(one, index)["searched-wrong"]
    assert "A tin to bake in." in wrong.messages[1].content
    assert wrong.messages[2].content == NOT_THERE["ko"]


def test_other_forms_stay_as_they_are_and_pages_drawn_at_random_go(index):
    rows = [
        conversation("How is bake called?", "x", form) for form in ("copying", "wrong-page", "closed-book")
    ]
    assert list(searched(rows, index, 10, NONE)) == [rows[0], rows[2]]


def test_at_most_so_many_are_taken(index):
    rows = [conversation("How is bake called?", "x", "closed-book")] * 6
    assert len(list(searched(rows, index, 2, NONE))) == 2


def test_every_other_question_keeps_its_own_page(index):
    rows = [conversation("How is bake called?", '"bake(dough, minutes=30)"')] * 6
    forms = [each.meta["form"] for each in searched(rows, index, 6, NONE)]
    assert [form for form in forms if form != "searched-wrong"] == ["searched", "open-book"] * 3


def test_one_question_in_a_few_is_shown_a_passage_that_does_not_tell(index):
    rows = [conversation("bake and bake_tin?", '"bake(dough, minutes=30)"')] * 16
    assert sum(each.meta["form"] == "searched-wrong" for each in searched(rows, index, 16, NONE)) == 2


def test_a_question_whose_answer_is_not_found_keeps_its_own_page(index):
    one = conversation("zzz?", '"yyy"')
    assert list(searched([one], index, 10, NONE)) == [one]


def test_what_else_a_passage_tells_is_asked_next_of_the_page_it_is_from(index):
    tin = Question(
        "t:en", "quote", "en", "What is bake_tin?", '"A tin to bake in."', ["A tin to bake in."],
        "http://docs.test/dishes", "t", "",
    )  # fmt: skip
    one = conversation("bake, bake_tin?", '"bake(dough, minutes=30)"')
    rows = {each.meta["form"]: each for each in searched([one], index, 10, FollowUps([tin]))}
    assert rows["searched"].meta.get("further") is None
    wrong = rows["searched-wrong"]
    assert [message.content for message in wrong.messages[2:]] == [
        NOT_THERE["en"], "What is bake_tin?", '"A tin to bake in."',
    ]  # fmt: skip
