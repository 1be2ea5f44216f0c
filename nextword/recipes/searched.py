"""Seed conversations with the passages that a search gives: a model learns from what it will be shown.

The seed data shows each question a stretch of its page, somewhere in which the entry stands. What an
assistant is shown later is what the search found: a passage that begins with the entry, or one without the
answer. So every other question that has a page is searched for, as `nextword ask` does, and shown the first
passage that holds its answer; one in WRONG_EVERY of these is also shown the best passage that does not, and
answered that it does not say. (Finetuning with what retrieval finds, distractors included: Zhang et al. 2024,
RAFT.) The others keep their page: with the search's alone, a model learns that the answer stands at the
beginning. What else a page tells is asked next (data/follow_ups.py). Other forms stay, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count, islice

from nextword.common.progress import Progress
from nextword.common.records import Conversation, Message
from nextword.data.follow_ups import FollowUps
from nextword.data.phrases import NOT_THERE
from nextword.data.reading import FORM
from nextword.evaluate.answers import claimed
from nextword.tools.answering import PASSAGES, asked, shown
from nextword.tools.search import Index

SEARCHED_EVERY = 2
"""Of so many questions with a page, one is searched for."""
WRONG_EVERY = 4
"""Of so many that are searched for, one is also shown a passage that does not answer it."""


def searched(
    conversations: Iterable[Conversation],
    index: Index,
    most: int,
    further: FollowUps,
    progress: Progress | None = None,
) -> Iterator[Conversation]:
    """At most so many of these conversations, with passages from the index where they have pages."""
    with_pages = count()
    for one in islice(conversations, most):
        if one.meta.get("form") in ("open-book", FORM):
            turn, rest = divmod(next(with_pages), SEARCHED_EVERY)
            if rest:
                yield further.after(one, one.meta.get("url", ""))
                continue
            for shown_one, url in _with_passages(one, index, has_wrong=turn % WRONG_EVERY == 0):
                yield further.after(shown_one, url)
        elif one.meta.get("form") != "wrong-page":
            yield one
        if progress:
            progress.advance()


def _with_passages(one: Conversation, index: Index, has_wrong: bool) -> Iterator[tuple[Conversation, str]]:
    """The question with a passage that tells and with one that does not, each with its page's address."""
    question, answer = str(one.messages[0].content), str(one.messages[-1].content)
    quote = claimed(answer)
    pages = [(shown(hit), hit.url) for hit in index.search(question, PASSAGES)]
    telling, url = next(((page, url) for page, url in pages if quote in page), ("", one.meta.get("url", "")))
    yield (_conversation(one, question, telling, answer, "searched") if telling else one), url
    other, url = next(((page, url) for page, url in pages if quote not in page), ("", ""))
    if has_wrong and other:
        yield _conversation(one, question, other, NOT_THERE[one.meta["lang"]], "searched-wrong"), url


def _conversation(one: Conversation, question: str, page: str, answer: str, form: str) -> Conversation:
    messages = [*asked(question, page).messages, Message("assistant", answer)]
    return replace(one, messages=messages, meta={**one.meta, "form": form})
