"""Seed conversations with the passages that a search gives: a model learns from what it will be shown.

The seed data shows each question its own entry of the page. What an assistant is shown later is what the
search found: longer, with other entries in it, and sometimes without the answer. So each question here is
searched for, as `nextword ask` does, and gives up to two conversations: with the first passage that holds the
answer, which is then quoted, and with the best passage that does not, of which the answer is that it does not
say. (Retrieval-augmented finetuning with distractors: Zhang et al. 2024, RAFT.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from nextword.common.progress import Progress
from nextword.common.records import Conversation, Message
from nextword.data.phrases import NOT_THERE
from nextword.evaluate.answers import claimed
from nextword.tools.answering import PASSAGES, asked, shown
from nextword.tools.search import Index


def searched(
    conversations: Iterable[Conversation], index: Index, most: int, progress: Progress | None = None
) -> Iterator[Conversation]:
    """The open-book conversations among these, at most so many, each with passages from the index."""
    open_book = (one for one in conversations if one.meta.get("form") == "open-book")
    for _, one in zip(range(most), open_book, strict=False):
        yield from _with_passages(one, index)
        if progress:
            progress.advance()


def _with_passages(one: Conversation, index: Index) -> Iterator[Conversation]:
    question, answer = str(one.messages[0].content), str(one.messages[-1].content)
    quote = claimed(answer)
    pages = [shown(hit) for hit in index.search(question, PASSAGES)]
    if telling := next((page for page in pages if quote in page), None):
        yield _conversation(one, question, telling, answer, "searched")
    if other := next((page for page in pages if quote not in page), None):
        yield _conversation(one, question, other, NOT_THERE[one.meta["lang"]], "searched-wrong")


def _conversation(one: Conversation, question: str, page: str, answer: str, form: str) -> Conversation:
    messages = [*asked(question, page).messages, Message("assistant", answer)]
    return replace(one, messages=messages, meta={**one.meta, "form": form})
