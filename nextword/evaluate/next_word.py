"""What a model thinks comes next: the likeliest words after a prompt, with their probabilities."""

from __future__ import annotations

import math

from nextword.common.language_model import Failed, LanguageModel, Request, Sampling, Token


def next_words(model: LanguageModel, prompt: str, count: int = 10) -> list[tuple[str, float]]:
    """The `count` likeliest next tokens, likeliest first, as (text, probability).

    Raises what the model failed with, such as BadInput for a prompt longer than its context.
    """
    request = Request(prompt, Sampling(temperature=0, max_new_tokens=1, top_logprobs=count))
    found: list[tuple[str, float]] = []
    for event in model.generate([request]):
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Token):
            found += [(likely.text, math.exp(likely.logprob)) for likely in event.top]
    return found
