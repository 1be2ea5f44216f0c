"""Addresses: one spelling each, and nothing that we would not fetch."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.data.address import normal, origin, site, target


@pytest.mark.parametrize(
    ("written", "spelling"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("http://example.org:80/", "http://example.org/"),
        ("https://example.org:443/", "https://example.org/"),
        ("https://example.org:80/", "https://example.org:80/"),
        ("http://example.org/a/./b/../c", "http://example.org/a/c"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/a/..", "http://example.org/"),
        ("http://example.org/%7euser/%2f%c3%a9", "http://example.org/~user/%2F%C3%A9"),
        ("http://example.org/a b", "http://example.org/a%20b"),
        ("http://example.org/100%", "http://example.org/100%25"),
        ("http://example.org/a#part", "http://example.org/a"),
        ("http://example.org/?b=2&a=1", "http://example.org/?b=2&a=1"),
        ("http://example.org/한글", "http://example.org/%ED%95%9C%EA%B8%80"),
        ("http://한글.example/", "http://xn--bj0bj06e.example/"),
        ("http://example.org./", "http://example.org/"),
        ("  http://exam\nple.org/a\t ", "http://example.org/a"),
        ("http:\\\\example.org\\a?b\\c", "http://example.org/a?b%5Cc"),
        ("http://[::1]:8080/a", "http://[::1]:8080/a"),
        ("http://2130706433/", "http://2130706433/"),
    ],
)
def test_an_address_has_one_spelling(written, spelling):
    assert normal(written) == spelling


@pytest.mark.parametrize(
    "written",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "mailto:a@example.org",
        "data:text/html,hi",
        "http://",
        "http:///a",
        "http://user:password@example.org/",
        "http://user@example.org/",
        "http://exa mple.org/",
        "http://example.org:99999/",
        "http://example.org:port/",
        "http://[::1/",
        "http://a..b/",
        "http://-example.org/",
        "http://example.org/" + "a" * 3000,
        "",
    ],
)
def test_what_we_would_not_fetch_has_none(written):
    assert normal(written) is None


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("b.html", "http://a.example/x/b.html"),
        ("../b.html", "http://a.example/b.html"),
        ("/b", "http://a.example/b"),
        ("//b.example/c", "http://b.example/c"),
        ("?q=1", "http://a.example/x/y.html?q=1"),
        ("#top", "http://a.example/x/y.html"),
        ("https://b.example", "https://b.example/"),
    ],
)
def test_a_link_is_read_from_its_page(link, found):
    assert normal(link, "http://a.example/x/y.html") == found


@given(st.text(max_size=60))
def test_a_spelling_is_its_own_spelling(text):
    for written in (text, "http://example.org/" + text, "http://" + text):
        found = normal(written)
        assert found is None or normal(found) == found


@given(st.text(string.printable + "한é\0\x7f", max_size=60))
def test_a_spelling_has_nothing_that_could_break_a_request_or_a_header(text):
    found = normal("http://example.org/" + text)
    assert found is None or all("!" <= char <= "~" for char in found)


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_link_is_never_an_error(link, base):
    normal(link, "http://example.org/" + base)
    normal(link, base)


def test_the_parts_of_an_address():
    address = "https://www.example.org:8080/a/b?c=d"
    assert site(address) == site("http://example.org:8080/") == "example.org:8080"
    assert origin(address) == "https://www.example.org:8080"
    assert target(address) == "/a/b?c=d"
    assert target("http://example.org/") == "/"
