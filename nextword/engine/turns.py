"""The turns of a conversation that fit into a model's context, with room for the next answer.

A conversation has no end, a context has. What was said first is left out first, a question together with its
answer, and the system message never: it says what the assistant is. Room is kept for as long an answer as is
wanted, half of the context at most; otherwise answers would be cut off long before a question is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from nextword.common.language_model import LanguageModel
from nextword.common.records import Conversation, Message
from nextword.engine.local import LocalModel
from nextword.engine.prompt import prompt_ids


def fitting(model: LanguageModel, messages: Sequence[Message], room: int) -> list[Message]:
    """The messages without the oldest turns, as few as leave `room` tokens; the last turn always stays.

    All of them for a model elsewhere, whose tokens are not known. BadInput for one that does not converse.
    """
    kept = list(messages)
    if not isinstance(model, LocalModel):
        return kept
    context = model.driver.context
    most = context - min(room, context // 2)
    while len(prompt_ids(Conversation(kept), model.vocabulary)) > most:
        asked = [place for place, message in enumerate(kept) if message.role == "user"]
        if len(asked) < 2:
            break
        del kept[asked[0] : asked[1]]
    return kept
