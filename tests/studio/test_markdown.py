"""Guides become nodes of known tags, never markup."""

from hypothesis import given
from hypothesis import strategies as st

from nextword.studio.markdown import nodes

KNOWN = {
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "p",
    "ul",
    "ol",
    "li",
    "blockquote",
    "pre",
    "code",
    "em",
    "strong",
}
KNOWN |= {"em", "strong", "a", "hr", "br", "table", "thead", "tbody", "tr", "th", "td", "s"}


def test_blocks_and_their_words() -> None:
    assert nodes("# A *b*\n\n- c\n- `d`\n") == [
        ["h1", {}, "A ", ["em", {}, "b"]],
        ["ul", {}, ["li", {}, "c"], ["li", {}, ["code", {}, "d"]]],
    ]


def test_a_table_has_no_attributes() -> None:
    [table] = nodes("|a|\n|:-:|\n|b|\n")
    assert table[2] == ["thead", {}, ["tr", {}, ["th", {}, "a"]]]


def test_html_is_text() -> None:
    assert nodes("<script>alert(1)</script>") == [["p", {}, "<script>alert(1)</script>"]]


def test_a_link_leads_to_the_web_or_is_none() -> None:
    assert nodes("[a](javascript:alert(1))")[0][2:] == ["[a](javascript:alert(1))"]
    assert nodes("[a](file.md)") == [["p", {}, ["a", {}, "a"]]]
    assert nodes("[a](https://b.c)")[0][2][1]["href"] == "https://b.c"


def test_an_image_is_its_words() -> None:
    assert nodes("![a cat](https://b.c/d.png)") == [["p", {}, "a cat"]]


@given(st.text(alphabet=st.sampled_from("ab<>&\"'`*_[]()!#-|:/\n 1.\\~"), max_size=200))
def test_whatever_is_written_only_known_tags_come_out(text: str) -> None:
    def check(node) -> None:
        if isinstance(node, str):
            return
        tag, attributes, *children = node
        assert tag in KNOWN
        assert set(attributes) <= {"href", "rel", "target", "start", "class"}
        for child in children:
            check(child)

    for node in nodes(text):
        check(node)
