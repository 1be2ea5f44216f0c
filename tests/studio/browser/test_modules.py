"""Modules of the pages that can be asked without a page: the diff, Markdown made of data, numbers."""

import random

import pytest

WORDS = ["zip", " ", "한국어", ".", "\n", "`x`", "a", "b", "  ", "é", "🙂", "<b>"]


@pytest.fixture(scope="module")
def module(house):
    """Calls a function of a module in the browser: module("diff.js", "diff", before, after)."""
    page = house.page("ara", path="/label")

    def call(file: str, name: str, *arguments: object) -> object:
        script = """async ([file, name, given]) => {
          const made = (await import(`/static/${file}`))[name](...given);
          return made instanceof Array && made[0] instanceof Node ? made.map((node) => node.outerHTML) : made;
        }"""
        return page.evaluate(script, [file, name, list(arguments)])

    yield call
    house.leave()


def test_a_diff_gives_back_both_texts(module):
    rng = random.Random(5)
    for _ in range(60):
        before, after = ("".join(rng.choices(WORDS, k=rng.randrange(12))) for _ in range(2))
        pieces = module("diff.js", "diff", before, after)
        assert "".join(text for kind, text in pieces if kind != "ins") == before
        assert "".join(text for kind, text in pieces if kind != "del") == after
        assert all(text for _, text in pieces)


def test_a_diff_keeps_what_is_the_same(module):
    found = module("diff.js", "diff", "the default is an empty string", "the default is a space")
    assert found[0] == ["same", "the default is "]


def test_a_very_long_text_is_compared_by_lines(module):
    lines = [f"{number} some words of a line\n" for number in range(900)]
    changed = [*lines[:500], "new\n", *lines[500:]]
    pieces = module("diff.js", "diff", "".join(lines), "".join(changed))
    assert [text for kind, text in pieces if kind != "same"] == ["new\n"]


def test_a_page_takes_no_tag_or_address_that_could_act(module):
    nodes = [
        ["script", {}, "alert(1)"],
        ["a", {"href": "javascript:alert(1)", "onclick": "alert(1)"}, "x"],
        ["p", {"style": "color:red"}, "<b>y</b>", ["img", {"src": "z"}, "z"]],
    ]
    found = module("page.js", "page", [["p", {}, *nodes]])
    assert found == ["<p>alert(1)<a>x</a><p>&lt;b&gt;y&lt;/b&gt;z</p></p>"]


def test_headings_of_a_page_stand_below_that_of_the_view(module):
    assert module("page.js", "page", [["h1", {}, "Guide"], ["h6", {}, "small"]], 2) == [
        "<h3>Guide</h3>",
        "<h6>small</h6>",
    ]


@pytest.mark.parametrize("minutes,words", [(0.5, "30 s"), (3.2, "3 min"), (150, "2.5 h")])
def test_durations_are_said_as_people_say_them(module, minutes, words):
    assert module("i18n.js", "duration", minutes) == words
