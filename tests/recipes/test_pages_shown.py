"""The pages behind the questions, as files to open."""

from pathlib import Path
from urllib.parse import unquote, urlparse

from nextword.common.records import Document
from nextword.data.questions import Question
from nextword.recipes.pages_shown import write_pages

URL = "http://docs.test/oven.html"


def question(gold: str, excerpt: str = "bake(dough, minutes=30)\n<b>Bake</b> the dough.") -> Question:
    return Question(
        "1", "signature", "en", "How is bake called?", "", [gold], URL, "oven.bake", excerpt, "oven"
    )


def written(questions, documents, out) -> str:
    shown = write_pages(questions, documents, out)
    assert list(shown) == [URL]
    return Path(unquote(urlparse(shown[URL]).path)).read_text(encoding="utf-8")


def test_the_answer_is_marked_above_the_whole_page(tmp_path):
    page = written([question("bake(dough, minutes=30)")], [Document.of("The oven bakes.", URL)], tmp_path)
    assert "<mark>bake(dough, minutes=30)</mark>" in page
    assert page.index("<mark>") < page.index("The oven bakes.")


def test_nothing_of_a_page_is_taken_for_markup(tmp_path):
    page = written([question("<b>")], [Document.of("<script>alert(1)</script>", URL)], tmp_path)
    assert "<script>" not in page and "<b>" not in page and "<mark>&lt;b&gt;</mark>" in page


def test_a_page_that_was_dropped_has_its_passage(tmp_path):
    page = written([question("not there")], [], tmp_path)
    assert "Bake" in page and "<mark>" not in page and "The whole page" not in page
