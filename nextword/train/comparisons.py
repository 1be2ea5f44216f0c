"""Comparisons and rated answers as trees: the prompt once, each answer a branch of it.

Only what the assistant says after the prompt is scored, its stop token included; an answer of an earlier
turn is part of the prompt. What cannot be compared is left out and counted with its reason: two sides that
are the same, an answer without words, a sequence longer than the context (never cut: the cut would fall on
the answer, and a preference for half an answer is none).

Train and held-out are split by the prompt, so that no question is on both sides; and a step takes all pairs
of a prompt.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nextword.common.dialogue import Comparison, Rated, margin_of, plain, says_something
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message, digest, is_held_out
from nextword.tokenizer.chat import ChatTemplate
from nextword.train.branches import Branch, Tree
from nextword.train.left_out import LeavesOut


@dataclass(frozen=True)
class Compared:
    """A comparison as a tree of two branches, chosen first; `margin` is how much better it was found."""

    tree: Tree
    prompt: str
    """A hash of the prompt."""
    margin: float = 0.0


@dataclass(frozen=True)
class Judged:
    """A rated answer as a tree of one branch."""

    tree: Tree
    prompt: str
    is_good: bool


@dataclass
class Kept(LeavesOut):
    """What can be learnt from, what is held out, and how many records were left out, by reason."""

    train: list[Any] = field(default_factory=list)
    held_out: list[Any] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def place(self, record: Compared | Judged, percent: float) -> None:
        """Put a record where its prompt belongs."""
        (self.held_out if is_held_out(record.prompt, percent) else self.train).append(record)


def compared(records: Iterable[Comparison], chat: ChatTemplate, context: int, held_out: float) -> Kept:
    """Comparisons as trees; held_out: percent of the prompts kept apart.

    Raises ValueError when a record's `meta` has a margin that is not a number.
    """
    found = Kept()
    for record in records:
        if plain(record.chosen) == plain(record.rejected):
            found.left_out["with two equal sides"] += 1
        elif tree := _tree(record, [record.chosen, record.rejected], chat, context, found.left_out):
            found.place(Compared(tree, prompt_id(record.prompt), margin_of(record.meta)), held_out)
    return found


def judged(records: Iterable[Rated], chat: ChatTemplate, context: int, held_out: float) -> Kept:
    """Rated answers as trees."""
    found = Kept()
    for record in records:
        if tree := _tree(record, [record.completion], chat, context, found.left_out):
            found.place(Judged(tree, prompt_id(record.prompt), record.label), held_out)
    return found


def rated(records: Iterable[Comparison]) -> Iterable[Rated]:
    """Each side of a comparison by itself: the chosen is good, the rejected bad. Equal sides say nothing."""
    for record in records:
        if plain(record.chosen) != plain(record.rejected):
            yield Rated(record.prompt, record.chosen, True, record.meta)
            yield Rated(record.prompt, record.rejected, False, record.meta)


def tree_of(chat: ChatTemplate, prompt: Conversation, answers: Sequence[list[Message]]) -> Tree:
    """The prompt, generation prompt included, and the answers; BadInput says what is wrong with a record."""
    begin = chat.ids(prompt)
    branches = []
    for answer in answers:
        if not any(one.role == "assistant" and says_something(one) for one in answer):
            raise BadInput("with an empty answer")
        masked = chat.masked(Conversation([*prompt.messages, *answer], prompt.tools))
        if masked.ids[: len(begin)] != begin:
            raise BadInput("whose prompt the chat template rewrites once it is answered")
        mask = masked.mask[len(begin) :]
        end = max((n for n, on in enumerate(mask, 1) if on), default=0)  # what follows is the next turn's
        if not end:
            raise BadInput("whose answer the assistant need not say")
        branches.append(Branch(tuple(masked.ids[len(begin) :][:end]), tuple(mask[:end])))
    return Tree(tuple(begin), tuple(branches))


def prompt_id(prompt: Sequence[Message]) -> str:
    """A hash of a prompt's messages."""
    return digest(json.dumps(plain(prompt), ensure_ascii=False, sort_keys=True))[:16]


class Draws:
    """Indices of n records, `batch` at a time, epoch after epoch, each shuffled anew; all by the seed."""

    def __init__(self, n: int, batch: int, seed: int) -> None:
        self.n, self.batch, self.seed, self.taken = n, batch, seed, 0
        self._orders: dict[int, list[int]] = {}

    def next(self) -> list[int]:
        """The next batch's indices."""
        found = [self._at(number) for number in range(self.taken, self.taken + self.batch)]
        self.taken += self.batch
        return found

    def state_dict(self) -> dict[str, Any]:
        """The position: records taken in all."""
        return {"taken": self.taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at a position."""
        self.taken = int(state["taken"])

    def _at(self, number: int) -> int:
        epoch, place = divmod(number, self.n)
        if epoch not in self._orders:
            order = list(range(self.n))
            random.Random(f"{self.seed} {epoch}").shuffle(order)
            self._orders = {epoch: order} | {e: o for e, o in self._orders.items() if e == epoch - 1}
        return self._orders[epoch][place]


class PromptDraws(Draws):
    """Indices of all records of `batch` prompts at a time.

    Pairs of answers to one question are learnt together (Ouyang et al. 2022, 3.5): apart, each answer would
    be learnt several times an epoch, and the prompt computed for each pair.
    """

    def __init__(self, prompts: Sequence[str], batch: int, seed: int) -> None:
        groups: dict[str, list[int]] = {}
        for number, prompt in enumerate(prompts):
            groups.setdefault(prompt, []).append(number)
        self.groups = list(groups.values())
        super().__init__(max(len(groups), 1), batch, seed)
        self.records = round(len(prompts) / self.n * batch)
        """Of a batch, in the mean."""

    def next(self) -> list[int]:
        """The next batch's records."""
        return [number for group in super().next() for number in self.groups[group]]


def _tree(
    record: Comparison | Rated,
    answers: Sequence[list[Message]],
    chat: ChatTemplate,
    context: int,
    left_out: Counter[str],
) -> Tree | None:
    """The record's tree, or None and one more left out."""
    try:
        tree = tree_of(chat, Conversation(record.prompt, record.meta.get("tools")), answers)
    except BadInput as error:
        left_out[error.what] += 1
        return None
    if tree.longest > context:
        left_out[f"longer than the context of {context:,} tokens"] += 1
        return None
    return tree
