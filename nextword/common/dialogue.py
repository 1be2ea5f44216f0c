"""Conversations, comparisons and trajectories: the records of everything after pretraining.

A conversation is OpenAI's `messages` list; a comparison is TRL's preference format, in which the prompt and
both answers are lists of messages; a rated answer is its unpaired sibling, which KTO learns from. Whatever
a file says beyond that is kept in `meta`, so that a record never loses where it came from.

    {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello!"}]}
    {"prompt": [...], "chosen": [{"role": "assistant", "content": "..."}], "rejected": [...]}
    {"prompt": [...], "completion": [...], "label": true}

Reading is strict about what would train the wrong thing (an unknown role, a message without content, parts
that are none) and names the file and the record; it is lenient about form: a prompt or an answer may be a
plain string. Whoever holds a `Message` that was read here may rely on its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message, Role, read_records, write_records

Record = TypeVar("Record")
ROLES = get_args(Role)
FORMATS = "see docs/formats.md"
DEEPEST = 32
"""Levels of parts and tool calls: beyond any API's, and far from where Python's own recursion ends."""


@dataclass(frozen=True)
class Comparison:
    """Two ways to go on after the same prompt, and which one was preferred."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rated:
    """One way to go on, judged good or bad by itself."""

    prompt: list[Message]
    completion: list[Message]
    label: bool
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trajectory:
    """What a policy wrote, as reinforcement learning needs it.

    ids: prompt and answer; mask: 1 where the policy itself chose the token (a tool's output is 0);
    logprobs: natural log, as of the policy that wrote it, 0.0 where the mask is 0; reward: of the whole.
    """

    ids: list[int]
    mask: list[int]
    logprobs: list[float]
    reward: float = 0.0
    meta: dict[str, Any] = field(default_factory=dict)


def message_of(value: Any) -> Message:
    """A message from its JSON form; ValueError says what is wrong with it."""
    if not isinstance(value, dict):
        raise ValueError("a message is not a JSON object")
    role, content = value.get("role"), value.get("content")
    if role not in ROLES:
        raise ValueError(f"unknown role {role!r:.40}, expected one of {', '.join(ROLES)}")
    calls = value.get("tool_calls")
    if calls is not None and not _are_objects(calls):
        raise ValueError("`tool_calls` is not a list of JSON objects")
    if content is None and calls:
        content = ""  # OpenAI's form of an answer that only calls tools
    if not isinstance(content, (str, list)):
        raise ValueError(f"a message of {role} has no content")
    if isinstance(content, list):
        _check_parts(content)
    if _is_deep([calls, content]):
        raise ValueError(f"a message of {role} is nested deeper than {DEEPEST} levels")
    return Message(cast(Role, role), content, calls, value.get("tool_call_id"), value.get("name"))


def text_in(content: str | list[dict[str, Any]]) -> str:
    """The text of a message's content: itself, or that of its text parts one after the other."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content if part.get("type") == "text")


def says_something(message: Message) -> bool:
    """Whether there is anything in a message: words, parts that are no text, or a call of a tool."""
    has_other = not isinstance(message.content, str) and any(
        part.get("type") != "text" for part in message.content
    )
    return bool(text_in(message.content).strip() or has_other or message.tool_calls)


def messages_of(value: Any, role: Role | None = None) -> list[Message]:
    """A list of messages; a plain string is one message of `role`, where one is given."""
    if isinstance(value, str) and role is not None:
        return [Message(role, value)]
    if not isinstance(value, list) or not value:
        raise ValueError("no list of messages")
    return [message_of(each) for each in value]


def plain(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Messages in their JSON form, without the fields that are not set."""
    return [{name: value for name, value in asdict(one).items() if value is not None} for one in messages]


def conversation_of(record: dict[str, Any]) -> Conversation:
    """A conversation from its JSON form; ValueError says what is wrong with it."""
    tools = record.get("tools")
    if tools is not None and not isinstance(tools, list):
        raise ValueError("`tools` is not a list")
    return Conversation(messages_of(record.get("messages")), tools, _meta(record, "messages", "tools"))


def comparison_of(record: dict[str, Any]) -> Comparison:
    """A comparison from its JSON form; ValueError says what is wrong with it."""
    chosen, rejected = (messages_of(record.get(side), "assistant") for side in ("chosen", "rejected"))
    if "prompt" in record:
        prompt = messages_of(record["prompt"], "user")
    else:  # TRL's implicit prompt: what both conversations begin with
        shared = 0
        while shared < min(len(chosen), len(rejected)) and chosen[shared] == rejected[shared]:
            shared += 1
        prompt, chosen, rejected = chosen[:shared], chosen[shared:], rejected[shared:]
    if not prompt:
        raise ValueError("no prompt, and the two sides do not begin alike")
    meta = _meta(record, "prompt", "chosen", "rejected")
    margin_of(meta)
    return Comparison(prompt, chosen, rejected, meta)


def margin_of(meta: dict[str, Any]) -> float:
    """How much better the chosen side of a comparison is, 0 where its `meta` does not say; ValueError."""
    value = meta.get("margin", 0.0)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ValueError(f"its margin is {value!r:.40}, expected a number of at least 0")
    return float(value)


def rated_of(record: dict[str, Any]) -> Rated:
    """A rated answer from its JSON form; ValueError says what is wrong with it."""
    label = record.get("label")
    if not isinstance(label, bool):
        raise ValueError("`label` is not true or false")
    prompt = messages_of(record.get("prompt"), "user")
    completion = messages_of(record.get("completion"), "assistant")
    return Rated(prompt, completion, label, _meta(record, "prompt", "completion", "label"))


def read_conversations(path: Path) -> Iterator[Conversation]:
    """The conversations of a record file; BadInput names the first record that is none."""
    return _read(path, conversation_of)


def read_comparisons(path: Path) -> Iterator[Comparison]:
    """The comparisons of a record file; BadInput names the first record that is none."""
    return _read(path, comparison_of)


def read_rated(path: Path) -> Iterator[Rated]:
    """The rated answers of a record file; BadInput names the first record that is none."""
    return _read(path, rated_of)


def write_conversations(path: Path, conversations: Iterable[Conversation]) -> int:
    """Write conversations atomically; returns how many."""
    return write_records(path, map(conversation_record, conversations))


def write_comparisons(path: Path, comparisons: Iterable[Comparison]) -> int:
    """Write comparisons atomically; returns how many."""
    return write_records(path, map(comparison_record, comparisons))


def conversation_record(conversation: Conversation) -> dict[str, Any]:
    """The JSON form of a conversation."""
    tools = {"tools": conversation.tools} if conversation.tools else {}
    return {"messages": plain(conversation.messages), **tools, "meta": conversation.meta}


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """The JSON form of a comparison."""
    sides = {name: plain(getattr(comparison, name)) for name in ("prompt", "chosen", "rejected")}
    return {**sides, "meta": comparison.meta}


def _read(path: Path, record_of: Callable[[dict[str, Any]], Record]) -> Iterator[Record]:
    for number, record in enumerate(read_records(path), 1):
        try:
            yield record_of(record)
        except ValueError as error:
            raise BadInput(f"record {number}: {error}", where=path, do=FORMATS) from error


def _check_parts(parts: list[Any]) -> None:
    """ValueError when content is a list of anything but OpenAI's parts."""
    if not _are_objects(parts) or not all(isinstance(part.get("type"), str) for part in parts):
        raise ValueError("a part of a message is not a JSON object with a type")
    if not all(isinstance(part.get("text"), str) for part in parts if part["type"] == "text"):
        raise ValueError("a part of the type text has no text")


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _is_deep(value: Any) -> bool:
    """Whether a JSON value has more levels than `DEEPEST`; found level by level, without recursion."""
    level = [value]
    for _ in range(DEEPEST):
        inside = (each.values() if isinstance(each, dict) else each for each in level)
        level = [each for one in inside for each in one if isinstance(each, (dict, list))]
        if not level:
            return False
    return True


def _meta(record: dict[str, Any], *known: str) -> dict[str, Any]:
    """The record's meta, and whatever else stands beside the known fields."""
    given = record.get("meta")
    meta = dict(given) if isinstance(given, dict) else {}
    return {**meta, **{name: value for name, value in record.items() if name not in (*known, "meta")}}
