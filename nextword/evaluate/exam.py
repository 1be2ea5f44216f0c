"""An exam: a model's answers to a task, each with its marks.

Answers are greedy unless told otherwise, so that the same model gives the same exam. A question that could
not be put (it does not fit the model's context, the server was away) is not an empty answer: its reply has
`end` "failed" and the error's line, it counts as wrong, and `failures` says how many there were and why. A
figure without that line would be of an easier exam.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from nextword.common.dialogue import conversation_of, conversation_record
from nextword.common.errors import BadInput, NextwordError
from nextword.common.language_model import Done, Failed, LanguageModel, Request, Sampling, Token
from nextword.common.progress import Progress
from nextword.common.records import Conversation, read_records, write_records
from nextword.evaluate.interval import Interval, share
from nextword.evaluate.task import Detailed, Task, answered, asked

AT_ONCE = 64
"""Requests handed to the model together."""
GREEDY = Sampling(temperature=0.0, max_new_tokens=96)

End = Literal["stop", "length", "cancelled", "failed"]


@dataclass(frozen=True)
class Reply:
    """What came back: the text, how it ended, how many tokens it has; `url` is the page that it quotes."""

    text: str
    end: End = "stop"
    tokens: int = 0
    error: str = ""
    url: str = ""


Examinee = Callable[[Sequence[Conversation], Progress | None], list[Reply]]
"""Whoever answers conversations: a model, a model with pages, a person, a constant."""


@dataclass(frozen=True)
class Marked:
    """One answer and its marks. `reward` is the task's own, 1.0 for right; `details` are further measures."""

    conversation: Conversation
    reply: Reply
    reward: float
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Which question it answers."""
        return str(self.conversation.meta["id"])

    @property
    def group(self) -> str:
        """Questions of one group are right or wrong together."""
        return str(self.conversation.meta.get("group") or self.id)

    def of(self, key: str) -> str:
        """What the question's meta says under a key, "" for nothing."""
        return str(self.conversation.meta.get(key, ""))

    def measure(self, name: str = "") -> float:
        """One measure of it; "" is the reward."""
        return self.details[name] if name else self.reward


def answers(
    model: LanguageModel,
    conversations: Sequence[Conversation],
    sampling: Sampling = GREEDY,
    progress: Progress | None = None,
    seeds: Sequence[int] = (),
) -> list[Reply]:
    """The model's reply to each conversation, in their order; seeds are theirs, 0 where none are given."""
    found: list[Reply] = []
    seeded = list(zip(conversations, seeds or [0] * len(conversations), strict=True))
    for start in range(0, len(seeded), AT_ONCE):
        requests = [Request(one, sampling, seed=seed) for one, seed in seeded[start : start + AT_ONCE]]
        pieces: dict[str, list[str]] = defaultdict(list)
        ends: dict[str, Done | Failed] = {}
        for event in model.generate(requests):
            if isinstance(event, Token):
                pieces[event.request].append(event.text)
            else:
                ends[event.request] = event
                if progress:
                    progress.advance()
        found += [_reply("".join(pieces[one.id]), ends.get(one.id)) for one in requests]
    return found


def examinee(model: LanguageModel, sampling: Sampling = GREEDY) -> Examinee:
    """A model as an examinee."""
    return lambda conversations, progress: answers(model, conversations, sampling, progress)


def by_lookup(ask: Callable[[str], Reply]) -> Examinee:
    """An examinee who gets only the text of the last question, and looks the answer up."""

    def sit(conversations: Sequence[Conversation], progress: Progress | None) -> list[Reply]:
        replies = []
        for one in conversations:
            try:
                replies.append(ask(asked(one)))
            except NextwordError as error:
                replies.append(Reply("", "failed", error=str(error)))
            if progress:
                progress.advance()
        return replies

    return sit


def marked(task: Task, replies: Sequence[Reply]) -> list[Marked]:
    """Replies to a task's conversations, in their order, with their marks; a failed one is wrong."""
    return [_marked(task, one, reply) for one, reply in zip(task.conversations, replies, strict=True)]


def sat(task: Task, who: Examinee, progress: Progress | None = None) -> list[Marked]:
    """A task put to an examinee, and marked."""
    return marked(task, who(task.conversations, progress))


def mean(results: Sequence[Marked], measure: str = "") -> Interval:
    """The mean of a measure over the questions, drawn by their groups."""
    return share([one.measure(measure) for one in results], [one.group for one in results])


def by(results: Sequence[Marked], key: str, measure: str = "") -> dict[str, Interval]:
    """Means by what the questions' meta says under `key`, in order of it."""
    split: dict[str, list[Marked]] = defaultdict(list)
    for one in results:
        split[one.of(key)].append(one)
    return {name: mean(part, measure) for name, part in sorted(split.items())}


def failures(results: Sequence[Marked]) -> dict[str, int]:
    """How many questions could not be put, by the reason; the most frequent first."""
    return dict(Counter(one.reply.error for one in results if one.reply.end == "failed").most_common())


def write_answers(path: Path, results: Sequence[Marked]) -> int:
    """Write marked answers as records, one a line; returns how many."""
    return write_records(path, map(_record, results))


def read_answers(path: Path) -> Iterator[Marked]:
    """The marked answers of a record file; BadInput names the first record that is none."""
    for number, record in enumerate(read_records(path), 1):
        try:
            reply = Reply(**record["reply"])
            details = {str(name): float(value) for name, value in record["details"].items()}
            yield Marked(conversation_of(record["conversation"]), reply, float(record["reward"]), details)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadInput(f"record {number} is no marked answer ({error})", where=path) from error


def _record(one: Marked) -> dict[str, Any]:
    return {
        "conversation": conversation_record(one.conversation),
        "reply": asdict(one.reply),
        "reward": one.reward,
        "details": dict(one.details),
    }


def _marked(task: Task, conversation: Conversation, reply: Reply) -> Marked:
    whole = answered(conversation, reply.text)
    details = task.details(whole) if isinstance(task, Detailed) else {}
    return Marked(conversation, reply, 0.0 if reply.end == "failed" else task.reward(whole), details)


def _reply(text: str, end: Done | Failed | None) -> Reply:
    if isinstance(end, Done):
        return Reply(text.strip(), end.reason, end.usage.completion_tokens)
    error = str(end.error) if end else "the model ended without an answer"
    return Reply("", "failed", error=error)
