"""What is shown in a terminal cannot drive it, and bars line up in Korean too."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.common.terminal import bar, bars, columns, one_line, printable, visible


@given(st.text())
def test_nothing_printable_holds_a_control_character(text: str) -> None:
    shown = printable(text + "\x1b[2J\x9b\u202e")
    assert all(unicodedata.category(c) != "Cc" or c in "\n\t" for c in shown)
    assert "\u202e" not in shown


def test_a_file_name_that_is_no_utf_8_can_be_shown_everywhere() -> None:
    assert printable(b"na\xffme".decode("utf-8", "surrogateescape")) == "na\ufffdme"


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"])))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert printable(text) == text


def test_blanks_of_a_token_can_be_seen() -> None:
    assert visible(" if\n\t") == "␣if⏎⇥"


def test_bars_line_up_whatever_the_script() -> None:
    lines = bars([(" 다음", 1.0), (" the", 0.25), ("\n", 0.0)])
    assert lines[0].endswith("100.0%")
    assert len({columns(line) for line in lines}) == 1
    assert lines[1].count("█") == 10


@given(st.floats(-1, 2))
def test_a_bar_never_leaves_its_place(value: float) -> None:
    assert len(bar(value, 20)) == 20


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("first\n\n second\t", 12, "first second"),
        ("exactly ten", 11, "exactly ten"),
        ("exactly ten", 10, "exactly t…"),
        ("다음 낱말", 6, "다음…"),
        ("a\x1b[2Jb", 20, "a\ufffd[2Jb"),
        ("", 5, ""),
    ],
)
def test_a_text_is_shown_on_one_line_of_a_width(text, width, shown):
    assert one_line(text, width) == shown and columns(shown) <= width
