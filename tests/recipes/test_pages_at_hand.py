"""A model with pages at hand, examined."""

from __future__ import annotations

import pytest

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.records import Document
from nextword.evaluate.stages import sit
from nextword.evaluate.task import Questions, open_book
from nextword.recipes.pages_at_hand import at_hand, retrieval_alone, with_pages
from nextword.tokenizer.special import CHAT_TEMPLATE
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.tools.search import Index
from tests.evaluate.conftest import question

PAGE = "oven\n\nbake(dough, minutes=30)\n    Do what bake says.\n"


@pytest.fixture
def stage(tmp_path, tiny_model, tiny_tokenizer_folder):
    tokenizer = Tokenizer.load(tiny_tokenizer_folder)
    tokenizer.config = dict(tokenizer.config, chat_template=CHAT_TEMPLATE)
    Index.build([Document.of(PAGE, "http://docs.test/oven.html")], tmp_path / "search.db").close()
    return with_pages(lambda: engine.wrap(tiny_model, tokenizer), tmp_path / "search.db")


def test_it_quotes_a_page_and_says_which(stage):
    reply = sit(stage, [Questions("docs", [question()])])[0].results[0].reply
    assert reply.url == "http://docs.test/oven.html"
    quoted = reply.text.split('"')[1]
    assert quoted and quoted in PAGE


def test_it_sits_only_what_can_be_looked_up(stage):
    papers = sit(stage, [Questions("docs", [question()]), open_book("shown", [question()])])
    assert [paper.task for paper in papers] == ["docs"]


def test_retrieval_alone_quotes_a_sentence_without_any_model(tmp_path):
    Index.build([Document.of(PAGE, "http://docs.test/oven.html")], tmp_path / "search.db").close()
    paper = sit(retrieval_alone(tmp_path / "search.db"), [Questions("docs", [question()])])[0]
    reply = paper.results[0].reply
    assert (reply.text, reply.url) == ('"bake(dough, minutes=30)"', "http://docs.test/oven.html")


def test_both_stages_refuse_a_missing_index_before_anybody_sits(tmp_path):
    with pytest.raises(BadInput, match="no search index"):
        at_hand(lambda: pytest.fail("opened"), tmp_path / "none.db")
