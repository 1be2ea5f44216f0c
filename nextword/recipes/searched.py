"""Seed conversations with the passages that a search gives: a model learns from what it will be shown.

The seed data shows each question its own entry of the page. What an assistant is shown later is what the
search found: longer, with other entries in it, and sometimes without the answer. So each question that has a
page is searched for, as `nextword ask` does, and shown the first passage that holds its answer; one in
WRONG_EVERY is also shown the best passage that does not, and answered that it does not say. (Finetuning with
what retrieval finds, distractors included: Zhang et al. 2024, RAFT.) Passages stand here as they were cut and
not from the entry on that is asked for: a model that always finds it at the top learns to look nowhere else.
What else the passage tells is asked next (data/follow_ups.py). Other forms stay, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from nextword.common.progress import Progress
from nextword.common.records import Conversation, Message
from nextword.data.follow_ups import FollowUps
from nextword.data.phrases import NOT_THERE
from nextword.evaluate.answers import claimed
from nextword.tools.answering import PASSAGES, asked, shown
from nextword.tools.search import Index

WRONG_EVERY = 4
"""Of so many questions, one is also shown a passage that does not answer it."""


def searched(
    conversations: Iterable[Conversation],
    index: Index,
    most: int,
    further: FollowUps,
    progress: Progress | None = None,
) -> Iterator[Conversation]:
    """At most so many of these conversations, with passages from the index where they have pages."""
    for number, one in enumerate(islice(conversations, most)):
        if one.meta.get("form") == "open-book":
            for shown_one, url in _with_passages(one, index, has_wrong=number % WRONG_EVERY == 0):
                yield further.after(shown_one, url)
        elif one.meta.get("form") != "wrong-page":
            yield one
        if progress:
            progress.advance()


def _with_passages(one: Conversation, index: Index, has_wrong: bool) -> Iterator[tuple[Conversation, str]]:
    """The question with a passage that tells and with one that does not, each with its page's address."""
    question, answer = str(one.messages[0].content), str(one.messages[-1].content)
    quote = claimed(answer)
    pages = [(shown(hit), hit.url) for hit in index.search(question, PASSAGES, opened=False)]
    telling, url = next(((page, url) for page, url in pages if quote in page), ("", one.meta.get("url", "")))
    yield (_conversation(one, question, telling, answer, "searched") if telling else one), url
    other, url = next(((page, url) for page, url in pages if quote not in page), ("", ""))
    if has_wrong and other:
        yield _conversation(one, question, other, NOT_THERE[one.meta["lang"]], "searched-wrong"), url


def _conversation(one: Conversation, question: str, page: str, answer: str, form: str) -> Conversation:
    messages = [*asked(question, page).messages, Message("assistant", answer)]
    return replace(one, messages=messages, meta={**one.meta, "form": form})
