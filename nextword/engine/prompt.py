"""A request's prompt as token ids: text, ids, or a conversation written by the model's own chat template.

A text begins a document, so it gets the beginning-of-sequence token where the vocabulary has one.
"""

from __future__ import annotations

from nextword.common.errors import BadInput
from nextword.common.records import Conversation
from nextword.engine.driver import Vocabulary
from nextword.tokenizer.chat import ChatTemplate


def prompt_ids(prompt: str | list[int] | Conversation, vocabulary: Vocabulary) -> list[int]:
    """The ids to continue; BadInput when there are none or one is not in the vocabulary."""
    if isinstance(prompt, str):
        ids = [vocabulary.bos] if vocabulary.bos is not None else []
        ids += vocabulary.encode(prompt)
    elif isinstance(prompt, Conversation):
        ids = ChatTemplate(vocabulary).ids(prompt)
    else:
        ids = list(prompt)
        for id in ids:
            if not 0 <= id < vocabulary.vocab_size:
                raise BadInput(f"token {id} is not in the vocabulary of {vocabulary.vocab_size:,}")
    if not ids:
        raise BadInput("the prompt is empty", do="give it at least one token to continue")
    return ids
