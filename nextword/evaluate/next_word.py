"""What a model thinks comes next: the likeliest words after a prompt, with their probabilities."""

from __future__ import annotations

import math

from nextword.common.errors import BadInput
from nextword.common.language_model import Failed, LanguageModel, Request, Sampling, Token


def next_words(model: LanguageModel, prompt: str, count: int = 10) -> list[tuple[str, float]]:
    """The `count` likeliest next tokens, likeliest first, as (text, probability).

    An empty prompt is the beginning of a document. Special tokens are left out unless they end the text, and
    the probabilities are the model's own, over all its tokens. Raises BadInput for a count below 1 and
    what the model failed with, such as BadInput for a prompt longer than its context.
    """
    if count < 1:
        raise BadInput(f"count is {count}", do="give at least 1")
    request = Request(prompt, Sampling(temperature=0, max_new_tokens=1, top_logprobs=count))
    found: list[tuple[str, float]] = []
    for event in model.generate([request]):
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Token):
            found += [(likely.text, math.exp(likely.logprob)) for likely in event.top]
    return found
