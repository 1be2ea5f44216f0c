"""The prompts of reinforcement learning: which can be answered, and which come next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nextword.common.dialogue import FORMATS, comparison_of, conversation_of, messages_of
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, read_records
from nextword.tokenizer.chat import ChatTemplate
from nextword.train.branches import Branch
from nextword.train.comparisons import Draws, tree_of
from nextword.train.left_out import LeavesOut
from nextword.train.plain_text import PlainText
from nextword.train.policy_losses import AdaptiveKL
from nextword.train.rollout import question_of
from nextword.train.step import Batch


@dataclass(frozen=True)
class Prompts(LeavesOut):
    """Conversations that end where the assistant is to speak, and how many were left out, by reason.

    lengths: tokens of each. written: the answer that each had, where it had one.
    """

    kept: list[Conversation]
    lengths: list[int]
    written: list[Branch | None]
    left_out: Counter[str] = field(default_factory=Counter)


def prompts_of(conversations: Iterable[Conversation], chat: ChatTemplate, context: int, room: int) -> Prompts:
    """Conversations up to their last question, with room for an answer of so many tokens."""
    found = Prompts([], [], [])
    for conversation in conversations:
        asked = question_of(conversation)
        if not asked.messages:
            found.left_out["without a question"] += 1
            continue
        try:
            length = len(chat.ids(asked))
        except BadInput as error:
            found.left_out[error.what] += 1
            continue
        if length + room > context:
            found.left_out[f"with no room for {room:,} tokens in a context of {context:,}"] += 1
            continue
        found.kept.append(asked)
        found.lengths.append(length)
        found.written.append(_written(conversation, asked, chat, context - length))
    return found


def _written(whole: Conversation, asked: Conversation, chat: ChatTemplate, room: int) -> Branch | None:
    """The answer that a conversation goes on with, as tokens; None where there is none to learn."""
    answer = list(whole.messages[len(asked.messages) :])
    try:
        branch = tree_of(chat, asked, [answer]).branches[0]
    except BadInput:
        return None
    return branch if len(branch.ids) <= room else None


def read_prompts(path: Path) -> Iterator[Conversation]:
    """What the conversations, comparisons or rated answers of a file ask; BadInput names what is none."""
    for number, record in enumerate(read_records(path), 1):
        try:
            yield _prompt(record)
        except ValueError as error:
            raise BadInput(f"record {number}: {error}", where=path, do=FORMATS) from error


def _prompt(record: dict[str, Any]) -> Conversation:
    """The prompt of one record, or a conversation that may have an answer; ValueError for what is neither."""
    if "messages" in record:
        return conversation_of(record)
    if "chosen" in record:  # whose prompt may be what both sides begin with
        compared = comparison_of(record)
        return Conversation(compared.prompt, compared.meta.get("tools"), compared.meta)
    meta = record.get("meta")
    asked = messages_of(record.get("prompt"), "user")
    return Conversation(asked, record.get("tools"), meta if isinstance(meta, dict) else {})


@dataclass(frozen=True)
class Asked:
    """The prompts of step `number` (from 1), the seed of their answers, and plain text to learn beside."""

    numbers: list[int]
    seed: int
    number: int
    text: Batch | None = None


class PromptBatches:
    """Prompts in an order drawn anew each epoch, and what a run must remember between two steps of them."""

    def __init__(
        self, prompts: int, batch: int, seed: int, control: AdaptiveKL, text: PlainText | None = None
    ) -> None:
        """text: learnt beside, some rows a step."""
        self.draws, self.seed, self.control, self.text = Draws(prompts, batch, seed), seed, control, text
        self.first_length: float | None = None
        """Mean tokens of the very first answers."""

    def next(self) -> Asked:
        """The next step's prompts."""
        numbers = self.draws.next()
        number = self.draws.taken // self.draws.batch
        text = self.text.next() if self.text else None
        return Asked(numbers, self.seed * 1_000_003 + number, number, text)

    def state_dict(self) -> dict[str, Any]:
        """The position, in the text too, the leash and the first length."""
        text = {"text": self.text.state_dict()} if self.text else {}
        own = {"kl_coef": self.control.coef, "first_length": self.first_length}
        return {**self.draws.state_dict(), **own, **text}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue there."""
        self.draws.load_state_dict(state)
        self.control.coef, self.first_length = float(state["kl_coef"]), state["first_length"]
        if self.text:
            self.text.load_state_dict(state["text"])
