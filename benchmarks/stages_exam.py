"""Who else sits the exam beside the models, what shuffled answers are, and how marks are kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.common.records import Conversation, digest
from nextword.data.questions import Question
from nextword.evaluate.exam import Examinee, Marked, Reply
from nextword.evaluate.task import text_of


def shuffled(rows: Sequence[Conversation], seed: int) -> list[Conversation]:
    """Each answer replaced by the next one of its kind, in an order that a hash decides."""
    kinds: dict[Any, list[tuple[int, int]]] = defaultdict(list)
    for row, one in enumerate(rows):
        said = [at for at, message in enumerate(one.messages) if message.role == "assistant"]
        for at, type in zip(said, _types(one, len(said)), strict=True):
            kinds[one.meta.get("form"), one.meta.get("lang"), type].append((row, at))
    messages = [list(one.messages) for one in rows]
    for kind in kinds.values():
        order = sorted(kind, key=lambda place: digest(f"shuffled:{seed}:{place}"))
        for (row, at), (other, there) in zip(order, [*order[1:], *order[:1]], strict=True):
            messages[row][at] = rows[other].messages[there]
    return [replace(one, messages=texts) for one, texts in zip(rows, messages, strict=True)]


def _types(one: Conversation, answers: int) -> list[str]:
    """Of each answer, what it was asked for: the conversation's own type, then those of its follow-ups."""
    further = [id.split(":")[1] for id in one.meta.get("further", ())]
    return [str(one.meta.get("type", ""))] * (answers - len(further)) + further


def quoting(model: Any) -> Examinee:
    """An examinee who quotes the page that the last message shows."""
    from nextword.engine.quote import Quote, Quoter

    quoter = Quoter(model)

    def reply(one: Conversation) -> Reply:
        try:
            said = quoter.quote(one, text_of(one.messages[-1]))
        except BadInput as error:  # longer than the context
            return Reply("", "failed", error=str(error))
        return Reply(said.answer if isinstance(said, Quote) else said.text)

    return replying(reply)


def saying(say: Callable[[Conversation], str]) -> Examinee:
    """An examinee whose answer takes no model."""
    return replying(lambda one: Reply(say(one)))


def replying(reply: Callable[[Conversation], Reply]) -> Examinee:
    """An examinee who answers one by one."""

    def sit(conversations: Sequence[Conversation], progress: Progress | None) -> list[Reply]:
        replies = []
        for one in conversations:
            replies.append(reply(one))
            if progress:
                progress.advance()
        return replies

    return sit


def constant(learnt: Iterable[Question]) -> Callable[[Conversation], str]:
    """The most common accepted answer to training questions of the type."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in learnt:
        counts[one.type][one.gold[-1]] += 1
    common = {type: counted.most_common(1)[0][0] for type, counted in counts.items()}
    return lambda one: common[one.meta["type"]]


def columns(results: Sequence[Marked]) -> dict[str, Any]:
    """Marks in the order of the questions, as short as text can be."""
    return {
        "right": "".join(str(round(one.reward)) for one in results),
        "f1": " ".join(f"{one.details.get('f1', 0.0):.3g}" for one in results),
        "letters": " ".join(str(len(one.reply.text)) for one in results),
        "failed": sum(one.reply.end == "failed" for one in results),
    }
