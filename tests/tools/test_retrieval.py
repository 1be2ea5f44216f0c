"""What search answers without a model."""

import pytest

from nextword.common.records import Document
from nextword.data.phrases import NOT_THERE
from nextword.tools.retrieval import best_sentence, retrieved
from nextword.tools.search import Index

LIBRARY = "# 도서관 안내\n\n책은 다섯 권까지 빌립니다. 대출 기간은 14일입니다.\n연체료는 하루 100원입니다.\n"
OVEN = "oven\n\nbake(dough, minutes=30)\n    Bake the dough until it is\n    golden.\n"


@pytest.fixture
def index(tmp_path):
    pages = [Document.of(LIBRARY, "http://docs.test/library"), Document.of(OVEN, "http://docs.test/oven")]
    with Index.build(pages, tmp_path / "search.db") as found:
        yield found


def test_the_sentence_with_most_of_the_question_s_words_is_quoted_with_its_page(index):
    answer = retrieved("대출 기간은 얼마나 되나요?", index)
    assert (answer.text, answer.url) == ('"대출 기간은 14일입니다."', "http://docs.test/library")


def test_wrapped_lines_are_one_sentence_and_a_signature_is_its_own():
    assert best_sentence("golden dough?", OVEN) == "Bake the dough until it is golden."
    assert best_sentence("minutes?", OVEN) == "bake(dough, minutes=30)"


def test_the_first_of_equal_sentences_is_taken_and_a_heading_is_none():
    assert best_sentence("zzz", LIBRARY) == "책은 다섯 권까지 빌립니다."


def test_a_passage_without_sentences_is_quoted_whole():
    assert best_sentence("x", " ## only a heading ") == "## only a heading"


@pytest.mark.parametrize(
    ("question", "lang"),
    [("zzz?", "en"), ("쿵?", "ko"), ("zzz.PoolExecutor는?", "ko"), ("Is 쿵 said of zzz?", "en")],
)
def test_what_search_does_not_find_is_said_not_to_be_there(index, question, lang):
    answer = retrieved(question, index)
    assert (answer.text, answer.hit) == (NOT_THERE[lang], None)
