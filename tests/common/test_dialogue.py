"""Conversations and comparisons as records: read strictly, written back as they were, nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nextword.common.dialogue import (
    comparison_of,
    message_of,
    read_comparisons,
    read_conversations,
    read_rated,
    says_something,
    text_in,
    write_comparisons,
    write_conversations,
)
from nextword.common.errors import BadInput
from nextword.common.records import Message, write_records

USER, GOOD, BAD = (
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": "good"},
    {"role": "assistant", "content": "bad"},
)


def test_a_conversation_reads_back_with_its_tools_calls_and_provenance(tmp_path: Path) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    record = {"messages": [USER, call], "tools": [{"name": "search"}], "meta": {"a": 1}, "score": 3}
    write_records(tmp_path / "a.jsonl", [record])
    (read,) = read_conversations(tmp_path / "a.jsonl")
    assert read.messages[1] == Message("assistant", "", [{"id": "1"}])
    assert read.meta == {"a": 1, "score": 3}
    write_conversations(tmp_path / "b.jsonl.zst", [read])
    assert list(read_conversations(tmp_path / "b.jsonl.zst")) == [read]


def test_a_comparison_reads_back(tmp_path: Path) -> None:
    write_records(
        tmp_path / "a.jsonl", [{"prompt": [USER], "chosen": [GOOD], "rejected": [BAD], "by": "rule"}]
    )
    (read,) = read_comparisons(tmp_path / "a.jsonl")
    assert (read.chosen[0].content, read.meta) == ("good", {"by": "rule"})
    write_comparisons(tmp_path / "b.jsonl", [read])
    assert list(read_comparisons(tmp_path / "b.jsonl")) == [read]


def test_plain_strings_stand_for_one_message() -> None:
    found = comparison_of({"prompt": "q", "chosen": "good", "rejected": "bad"})
    assert (found.prompt, found.rejected) == ([Message("user", "q")], [Message("assistant", "bad")])


def test_a_prompt_that_both_sides_share_is_found() -> None:
    found = comparison_of({"chosen": [USER, GOOD], "rejected": [USER, BAD]})
    assert [message.content for message in (*found.prompt, *found.chosen, *found.rejected)] == [
        "q",
        "good",
        "bad",
    ]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "record 1: no list of messages"),
        ({"messages": []}, "no list of messages"),
        ({"messages": ["hi"]}, "a message is not a JSON object"),
        ({"messages": [{"role": "user"}]}, "a message of user has no content"),
        ({"messages": [{"role": "god", "content": "x"}]}, "unknown role 'god'"),
        ({"messages": [USER], "tools": 3}, "`tools` is not a list"),
    ],
)
def test_what_is_no_conversation_is_refused_by_file_and_record(
    tmp_path: Path, record: dict[str, Any], message: str
) -> None:
    write_records(tmp_path / "a.jsonl", [record])
    with pytest.raises(BadInput, match=message) as caught:
        list(read_conversations(tmp_path / "a.jsonl"))
    assert "a.jsonl" in str(caught.value)


def test_sides_without_a_prompt_are_refused(tmp_path: Path) -> None:
    write_records(tmp_path / "a.jsonl", [{"chosen": [GOOD], "rejected": [BAD]}])
    with pytest.raises(BadInput, match="no prompt, and the two sides do not begin alike"):
        list(read_comparisons(tmp_path / "a.jsonl"))


@pytest.mark.parametrize("margin", ["much", -1, True, float("inf"), float("nan")])
def test_a_margin_that_is_no_number_is_refused_by_file_and_record(tmp_path: Path, margin: object) -> None:
    good = {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD], "margin": 2}
    write_records(tmp_path / "a.jsonl", [good, {**good, "margin": margin}])
    with pytest.raises(BadInput, match=r"a\.jsonl: record 2: its margin is .*, expected a number"):
        list(read_comparisons(tmp_path / "a.jsonl"))


def test_a_rating_must_be_true_or_false(tmp_path: Path) -> None:
    write_records(tmp_path / "a.jsonl", [{"prompt": "q", "completion": "a", "label": True}])
    assert next(read_rated(tmp_path / "a.jsonl")).label
    write_records(tmp_path / "b.jsonl", [{"prompt": "q", "completion": "a", "label": "yes"}])
    with pytest.raises(BadInput, match="`label` is not true or false"):
        list(read_rated(tmp_path / "b.jsonl"))


@pytest.mark.parametrize(
    ("content", "text", "says"),
    [
        ("a cat", "a cat", True),
        (" \n", " \n", False),
        ([{"type": "text", "text": "a "}, {"type": "text", "text": "cat"}], "a cat", True),
        ([{"type": "text", "text": " "}], " ", False),
        ([], "", False),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "cat"}], "cat", True),
        ([{"type": "image_url", "text": 5}], "", True),
    ],
)
def test_the_text_of_parts_is_theirs_one_after_the_other(content: Any, text: str, says: bool) -> None:
    message = message_of({"role": "assistant", "content": content})
    assert (text_in(message.content), says_something(message)) == (text, says)


NESTED: Any = "x"
for _ in range(40):
    NESTED = {"type": "list", "parts": [NESTED]}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"content": ["x"]}, "a part of a message is not a JSON object with a type"),
        ({"content": [{"text": "x"}]}, "not a JSON object with a type"),
        ({"content": [{"type": ["text"]}]}, "not a JSON object with a type"),
        ({"content": [{"type": "text"}]}, "a part of the type text has no text"),
        ({"content": [{"type": "text", "text": 5}]}, "a part of the type text has no text"),
        ({"content": [NESTED]}, "nested deeper than 32 levels"),
        ({"content": "x", "tool_calls": 5}, "`tool_calls` is not a list of JSON objects"),
        ({"content": None, "tool_calls": ["search"]}, "`tool_calls` is not a list of JSON objects"),
    ],
)
def test_what_are_no_parts_and_no_calls_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        message_of({"role": "assistant", **fields})
