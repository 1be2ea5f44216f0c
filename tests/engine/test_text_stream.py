"""Streaming text: stop strings across token borders, half characters, and nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from nextword.engine.text_stream import TextStream

few = some.text("ab한.", max_size=12)
stops_of_any_kind = some.lists(some.text("ab한.", min_size=1, max_size=4), max_size=3)


def stream(pieces, stops):
    """Everything said, whether it stopped, and how much was said before the end."""
    text = TextStream(stops)
    said = [text.push(piece) for piece in pieces]
    return "".join(said) + text.finish(), text.is_stopped, said


def cut(data, places):
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


def plain(text, stops):
    """The text before the stop that is complete first, the longest of several."""
    for end in range(len(text) + 1):
        ending = [stop for stop in stops if text[:end].endswith(stop)]
        if ending:
            return text[: end - max(map(len, ending))]
    return text


@given(few, stops_of_any_kind, some.lists(some.integers(0, 50), max_size=6))
@example("aab", ["ab", "aab"], [1])
@example("한", ["한"], [1, 2])
def test_where_tokens_end_makes_no_difference(text, stops, places):
    said, stopped, _ = stream(cut(text.encode(), places), stops)
    assert said == plain(text, stops)
    assert stopped == any(stop in text for stop in stops)


@given(some.binary(max_size=20), some.lists(some.integers(0, 50), max_size=6))
def test_without_stops_the_text_is_the_bytes_decoded(data, places):
    assert stream(cut(data, places), [])[0] == data.decode("utf-8", "replace")


def test_a_tail_that_may_become_a_stop_string_waits():
    text = TextStream(["END"])
    assert [text.push(piece) for piece in (b"the E", b"N", b"d E", b"ND more")] == ["the ", "", "ENd ", ""]
    assert text.is_stopped
    assert text.finish() == ""


def test_a_character_waits_for_its_last_byte():
    text = TextStream()
    assert [text.push(bytes([byte])) for byte in "한".encode()] == ["", "", "한"]


def test_half_a_character_at_the_end_is_shown_as_replaced():
    text = TextStream()
    assert text.push("한".encode()[:2]) == ""
    assert text.finish() == "\ufffd"


def test_nothing_is_said_after_a_stop():
    text = TextStream(["."])
    assert [text.push(b"a."), text.push(b"b"), text.finish()] == ["a", "", ""]


@pytest.mark.parametrize("stops", [[], [""]])
def test_an_empty_stop_string_stops_nothing(stops):
    assert stream([b"abc"], stops) == ("abc", False, ["abc"])
