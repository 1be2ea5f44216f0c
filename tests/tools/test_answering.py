"""Answers from pages at hand: what cannot be asked is said, and not passed off as the page's silence."""

from __future__ import annotations

import pytest

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.records import Document
from nextword.data.phrases import NOT_THERE
from nextword.engine.local import LocalModel
from nextword.tokenizer.special import CHAT_TEMPLATE
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.tools.answering import Answerer
from nextword.tools.search import Index
from tests.engine.test_quote import Wishful

SHORT = "oven\n\nbake(dough)\n    Bake the dough.\n"
LONG = "oven\n\nroast(dough)\n    Roast the dough " + "ꯍ" * 300 + "\n"
SAYS_NOT = "The page does not say."


@pytest.fixture
def tokenizer(tiny_tokenizer_folder):
    found = Tokenizer.load(tiny_tokenizer_folder)
    found.config = dict(found.config, chat_template=CHAT_TEMPLATE)
    return found


@pytest.fixture
def index(tmp_path):
    pages = [Document.of(SHORT, "http://a/bake"), Document.of(LONG, "http://a/roast")]
    with Index.build(pages, tmp_path / "search.db") as found:
        yield found


def answerer(tokenizer, index, wish, context):
    driver = Wishful(tokenizer, wish)
    driver.context = context
    return Answerer(LocalModel(driver, tokenizer, [tokenizer.special["<|end|>"]]), index)


def test_a_passage_that_does_not_fit_is_passed_over(tokenizer, index):
    found = answerer(tokenizer, index, '"Bake the dough."', 300).answer("roast dough?")
    assert (found.text, found.url) == ('"Bake the dough."', "http://a/bake")


def test_a_context_too_small_for_every_passage_is_said_to_be(tokenizer, index):
    asked = answerer(tokenizer, index, SAYS_NOT, 30)
    with pytest.raises(
        BadInput, match=r"none of the 2 passages found could be read: .* the context 30; ask a"
    ):
        asked.answer("roast dough?")


@pytest.mark.parametrize(
    ("question", "lang"),
    [("What is dough?", "en"), ("ThreadPoolExecutor dough는?", "ko"), ("Is 쿵 said of dough?", "en")],
)
def test_a_page_that_does_not_say_is_said_so_in_the_question_s_language(tokenizer, index, question, lang):
    assert answerer(tokenizer, index, SAYS_NOT, 4096).answer(question).text == NOT_THERE[lang]


def test_a_model_that_does_not_converse_is_refused_at_once(tiny_model, tiny_tokenizer_folder, index):
    base = engine.wrap(tiny_model, Tokenizer.load(tiny_tokenizer_folder))
    with pytest.raises(BadInput, match="this model has no chat template"):
        Answerer(base, index)
