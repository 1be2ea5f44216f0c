"""What each kind shows and takes, and which side stood where."""

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextword.common.errors import BadInput
from nextword.label.kinds import KINDS, is_right, kind_named, text_of, value
from nextword.label.sides import order_for, shown, unswapped
from nextword.label.text import checked, fraction, storable

from .odd import MESSAGES


def said(text: str) -> list[dict]:
    return [{"role": "assistant", "content": text}]


PAIR = {"answers": [{"messages": said("a")}, {"messages": said("b")}]}


@given(st.text(max_size=20), st.integers(0, 9), st.integers(2, 4))
def test_what_was_said_of_the_sides_as_shown_goes_back_to_the_answers(key, slot, count):
    order = order_for(key, slot, count)
    stored = [f"answer {number}" for number in range(count)]
    assert sorted(order) == list(range(count))
    assert unswapped(shown(stored, order), order) == stored


@given(st.text(max_size=20), st.integers(2, 4))
def test_over_as_many_people_as_answers_each_answer_stands_in_each_place_once(key, count):
    orders = [order_for(key, slot, count) for slot in range(count)]
    assert all(sorted(place) == list(range(count)) for place in zip(*orders, strict=True))


def test_over_many_tasks_each_side_comes_first_about_as_often():
    first = Counter(order_for(f"task {number}", 0, 2)[0] for number in range(2000))
    assert abs(first[0] - 1000) < 100


@pytest.mark.parametrize(
    ("order", "given", "ranks", "bad"),
    [
        ([0, 1], {"choice": 0}, [1, 2], False),
        ([1, 0], {"choice": 0}, [2, 1], False),
        ([1, 0], {"choice": "tie"}, [1, 1], False),
        ([1, 0], {"choice": "bad"}, [1, 1], True),
        ([1, 0], {"ranks": [7, 3]}, [1, 2], False),
        ([1, 0], {"ranks": [1, 2], "bad": True}, [2, 1], True),
    ],
)
def test_a_choice_among_the_sides_as_shown_ranks_the_answers_as_stored(order, given, ranks, bad):
    read = KINDS["compare"].read(given, PAIR, order)
    assert (read["ranks"], read["bad"]) == (ranks, bad)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"choice": 2},
        {"choice": -1},
        {"choice": True},
        {"choice": "best"},
        {"ranks": [1]},
        {"ranks": "12"},
        {"ranks": [1, "2"]},
        {"choice": 0, "margin": 4},
        {"choice": 0, "note": 3},
    ],
)
def test_what_is_no_comparison_is_refused(given):
    with pytest.raises(BadInput):
        KINDS["compare"].read(given, PAIR, [0, 1])


@pytest.mark.parametrize("texts", [["a"], list("abcde"), ["a", " a "], ["a", ""]])
def test_a_comparison_shows_two_to_four_answers_that_differ(texts):
    with pytest.raises(BadInput):
        KINDS["compare"].material({"answers": [{"messages": said(text)} for text in texts]})


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({"text": " a draft \n"}, "good"),
        ({}, "good"),
        ({"text": "a better one"}, "changed"),
        ({"text": "a draft", "question": "What else?"}, "changed"),
        ({"verdict": "unusable"}, "unusable"),
    ],
)
def test_a_correction_says_whether_it_changed_the_draft(given, verdict):
    assert KINDS["correct"].read(given, {"draft": said("a draft")}, [])["verdict"] == verdict


def test_a_written_answer_may_be_several_messages_with_a_tool_between():
    messages = [
        {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
        {"role": "assistant", "content": "It is 42."},
    ]
    assert KINDS["write"].read({"messages": messages}, {}, [])["messages"] == messages


@pytest.mark.parametrize(
    "given",
    [{}, {"text": ""}, {"text": 3}, {"messages": [{"role": "user", "content": "x"}]}, {"messages": [3]}],
)
def test_what_is_no_answer_is_refused(given):
    with pytest.raises(BadInput):
        KINDS["write"].read(given, {}, [])


def test_ratings_are_whole_numbers_on_the_scale_for_every_criterion():
    material = KINDS["rate"].material({"answer": {"messages": said("x")}, "criteria": ["true"], "high": 3})
    assert KINDS["rate"].read({"ratings": {"true": 3}}, material, [])["ratings"] == {"true": 3}
    for ratings in ({}, {"true": 4}, {"true": 2.5}, {"true": True}, {"kind": 2}, None):
        with pytest.raises(BadInput):
            KINDS["rate"].read({"ratings": ratings}, material, [])


def test_agreement_on_the_best_does_not_depend_on_the_ranks_below():
    one = {"ranks": [1, 2, 3], "bad": False}
    other = {"ranks": [1, 3, 2], "bad": False}
    assert value("compare", "key", one) == value("compare", "key", other)
    assert value("compare", "key", one) != value("compare", "key", {"ranks": [1, 1, 2], "bad": False})
    assert value("compare", "key", {"ranks": [1, 1, 1], "bad": True}) == "bad"


def test_which_answer_was_stored_first_does_not_show_in_what_agreement_compares():
    first_is_best = {"ranks": [1, 2], "bad": False}
    values = Counter(value("compare", f"task {number}", first_is_best) for number in range(2000))
    assert abs(values["best 0"] - 1000) < 100


def test_a_rating_within_one_of_the_expected_is_right():
    assert is_right("rate", {"ratings": {"true": 4}}, {"ratings": {"true": 5}})
    assert not is_right("rate", {"ratings": {"true": 3}}, {"ratings": {"true": 5}})


def test_an_unknown_kind_is_refused():
    with pytest.raises(BadInput, match="choose from write, correct, compare, rate, review"):
        kind_named("sing")


def test_the_text_of_messages_with_pictures_is_the_text_alone():
    parts = [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "a cat"}]
    assert text_of([{"role": "user", "content": parts}]) == "a cat"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_either_stored_or_refused(value):
    try:
        assert storable(value, "it") is value
    except BadInput as error:
        assert str(error).startswith("it ")


@given(
    st.dictionaries(
        st.sampled_from(
            ["choice", "ranks", "bad", "margin", "note", "text", "messages", "verdict", "ratings", "question"]
        ),
        JSON,
    ),
    st.sampled_from(sorted(KINDS)),
)
def test_whatever_a_page_sends_is_an_answer_or_a_refusal(given, kind):
    material = {**PAIR, "draft": said("d"), "criteria": ["x"], "low": 1, "high": 5, "answer": {}}
    try:
        assert isinstance(KINDS[kind].read(given, material, [1, 0]), dict)
    except BadInput as error:
        assert str(error)


@given(MESSAGES, st.sampled_from(["write", "correct", "review"]))
@example([{"role": "assistant", "content": ["x"]}], "write")
@example([{"role": "assistant", "content": [{"type": "image_url", "text": 5}]}], "write")
def test_whatever_a_message_holds_it_is_an_answer_with_a_text_or_a_refusal(messages, kind):
    given = {"messages": messages, "verdict": "amend"}
    try:
        read = KINDS[kind].read(given, {"draft": said("d"), "answer": {}}, [])
    except BadInput as error:
        assert str(error)
    else:
        assert text_of(read["messages"])


@pytest.mark.parametrize("scale", [{"criteria": 5}, {"criteria": "true"}, {"criteria": [5]}, {"low": True}])
def test_what_is_no_scale_is_refused(scale):
    with pytest.raises(BadInput, match="criteri"):
        KINDS["rate"].material({"answer": {"messages": said("x")}, **scale})


def test_deep_nesting_is_refused_before_it_costs_anything():
    value: list = []
    for _ in range(100):
        value = [value]
    with pytest.raises(BadInput, match="too deeply"):
        storable(value, "it")


def test_chance_that_can_be_looked_up_again_is_spread_evenly():
    drawn = [fraction("share", number) for number in range(2000)]
    assert abs(sum(each < 0.25 for each in drawn) - 500) < 80
    assert fraction("a", 1) == fraction("a", 1) != fraction("a", 2)


def test_an_empty_text_is_refused():
    with pytest.raises(BadInput, match="the name is empty"):
        checked("  ", "the name")
