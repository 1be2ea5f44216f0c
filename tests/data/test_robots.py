"""robots.txt, by the rules of RFC 9309."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.data.robots import ALLOW_ALL, Rule, parse_robots

FILE = b"""
# a comment
User-agent: other
Disallow: /

User-agent: *
Disallow: /private/
Allow: /private/open
Disallow: /*.pdf$
Crawl-delay: 2.5
"""


def allows(text: str, target: str) -> bool:
    return parse_robots(text.encode()).allows(target)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", True),
        ("/private/", False),
        ("/private/a", False),
        ("/private/open", True),
        ("/private", True),
        ("/a/b.pdf", False),
        ("/a/b.pdf?x", True),
        ("/robots.txt", True),
    ],
)
def test_the_rules_for_all_agents_apply_to_us(target, expected):
    assert parse_robots(FILE).allows(target) is expected


def test_the_pause_that_is_asked_for_is_known():
    assert parse_robots(FILE).delay == 2.5


def test_the_group_that_names_us_replaces_the_one_for_all():
    robots = parse_robots(
        b"User-agent: *\nDisallow: /\n\nUser-agent: NextWord\nDisallow: /a\nCrawl-delay: 3\n"
    )
    assert robots.allows("/b")
    assert not robots.allows("/a")
    assert robots.delay == 3


def test_agents_listed_together_share_their_rules():
    assert not allows("User-agent: other\nUser-agent: nextword\nDisallow: /a", "/a")


def test_groups_of_the_same_agent_add_up():
    text = "User-agent: *\nDisallow: /a\n\nUser-agent: x\nDisallow: /\n\nUser-agent: *\nDisallow: /b"
    assert not allows(text, "/a")
    assert not allows(text, "/b")
    assert allows(text, "/c")


def test_the_longest_rule_decides_and_allow_wins_a_tie():
    assert allows("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b")
    assert not allows("User-agent: *\nAllow: /a\nDisallow: /a/b", "/a/b")
    assert allows("User-agent: *\nDisallow: /a\nAllow: /a", "/a")


def test_an_empty_disallow_allows_everything():
    assert allows("User-agent: *\nDisallow:", "/a")


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><p>Not found", b"  <html>", b""])
def test_a_page_or_nothing_in_its_place_allows_everything(body):
    assert parse_robots(body) == ALLOW_ALL


def test_an_answer_declared_as_html_allows_everything():
    assert parse_robots(b"User-agent: *\nDisallow: /", "text/html") == ALLOW_ALL


@pytest.mark.parametrize(
    ("pattern", "target", "expected"),
    [
        ("/a*c", "/abbc", True),
        ("/a*c", "/abb", False),
        ("/a*c$", "/abcbc", True),
        ("/a*c$", "/abcd", False),
        ("/a$", "/a", True),
        ("/a$", "/ab", False),
        ("/*", "/anything", True),
        ("/a*b*a$", "/aba", True),
        ("/ab*b$", "/ab", False),
        ("/a**b", "/ab", True),
    ],
)
def test_stars_and_dollars(pattern, target, expected):
    assert Rule(False, pattern).fits(target) is expected


@given(st.text("ab/*", max_size=8), st.text("ab/", max_size=10), st.booleans())
def test_patterns_mean_what_the_same_regular_expression_means(pattern, target, is_whole):
    import re

    expression = re.escape(pattern).replace(r"\*", ".*") + ("$" if is_whole else "")
    expected = re.match(expression, target) is not None
    assert Rule(False, pattern + "$" * is_whole).fits(target) is expected


def test_a_hostile_pattern_takes_no_time():
    assert not Rule(False, "/" + "a*" * 200 + "b").fits("/" + "a" * 1900)


def test_letters_and_escapes_match_our_spelling():
    assert not allows("User-agent: *\nDisallow: /한글", "/%ED%95%9C%EA%B8%80")
    assert not allows("User-agent: *\nDisallow: /%c3%a9", "/%C3%A9")


@given(st.binary(max_size=300))
def test_any_bytes_are_some_rules(body):
    parse_robots(body).allows("/a")


@pytest.mark.parametrize("value", ["x", "-1", "nan", "inf", "1e9"])
def test_a_senseless_pause_is_bounded(value):
    assert 0 <= parse_robots(f"User-agent: *\nCrawl-delay: {value}".encode()).delay <= 3600
