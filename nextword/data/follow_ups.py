"""Follow-up questions: once a page is shown, it can answer more than the one question it was shown for.

    further = FollowUps(questions)
    further.after(conversation, url)

Reading a page is what costs in training, and an answer is a tenth of it. So a conversation goes on: the user
asks for other things that the page in sight tells, about other entries too, and each answer is learnt. From
the same number of tokens a model sees two to three times as many look-ups, and it learns to look back at a
page that an earlier turn has shown, which people expect of a chat.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, zip_longest

from nextword.common.records import Conversation, Message, digest
from nextword.data.questions import TYPES, Question

MOST = 4
"""Follow-ups of a conversation, at most: with more, so few pages are seen that less is learnt."""


SOON_LEARNT = frozenset(("module", "kind"))
"""Types that the title or a heading answers: of each turn they are asked last."""


class FollowUps:
    """Questions by the page that answers them."""

    def __init__(self, questions: Iterable[Question], most: int = MOST) -> None:
        self.most = most
        self._of: dict[str, list[Question]] = defaultdict(list)
        for question in questions:
            self._of[question.url].append(question)

    def after(self, one: Conversation, url: str) -> Conversation:
        """The conversation, and then what else is asked in its language of the page that it shows.

        url: where that page is from; a conversation that shows none stays as it is. `meta` says which
        questions were added.
        """
        page = next((str(each.content) for each in one.messages if each.role == "tool"), "")
        asked = str(one.meta.get("question", ""))
        fitting = (
            question
            for question in self._of.get(url, ())
            if question.lang == one.meta.get("lang") and question.id != asked and tells(page, question)
        )
        chosen = list(islice(_by_turns(fitting, asked), self.most))
        chosen.sort(key=lambda question: digest(f"{asked}:place:{question.id}"))
        turns = [
            message
            for question in chosen
            for message in (Message("user", question.text), Message("assistant", question.answer))
        ]
        meta = {**one.meta, "further": [question.id for question in chosen]} if chosen else one.meta
        return replace(one, messages=[*one.messages, *turns], meta=meta)


def tells(page: str, question: Question) -> bool:
    """Whether a page holds the answer, and the entry that is asked about."""
    if not page or question.gold[0] not in page:
        return False
    name = re.escape(question.function_id.rpartition(".")[2])
    return question.type not in TYPES or bool(re.search(rf"^(?:class )?{name}\b", page, re.MULTILINE))


def _by_turns(questions: Iterable[Question], key: str) -> Iterator[Question]:
    """One of each type after the other, those soon learnt last, else in an order that a hash decides."""
    types: dict[str, list[Question]] = defaultdict(list)
    for question in sorted(questions, key=lambda one: digest(f"{key}:{one.id}")):
        types[question.type].append(question)
    order = sorted(types, key=lambda type: (type in SOON_LEARNT, digest(f"{key}:{type}")))
    for row in zip_longest(*(types[type] for type in order)):
        yield from filter(None, row)
