"""A tiny model behind the port."""

from __future__ import annotations

import pytest

from nextword.common.language_model import Done, Failed, Token


@pytest.fixture
def tokenizer(tiny_tokenizer_folder):
    from nextword.tokenizer.tokenizer import Tokenizer

    return Tokenizer.load(tiny_tokenizer_folder)


@pytest.fixture
def model(tiny_model, tokenizer):
    from nextword.engine import wrap

    return wrap(tiny_model, tokenizer, name="tiny")


class Heard:
    """What came of a call, by request: texts, ids, and how each ended."""

    def __init__(self, events):
        self.events = list(events)
        self.text, self.ids, self.logprobs, self.end = {}, {}, {}, {}
        for event in self.events:
            assert event.request not in self.end, "an event after the end"
            if isinstance(event, Token):
                self.text[event.request] = self.text.get(event.request, "") + event.text
                if event.id is not None:
                    self.ids.setdefault(event.request, []).append(event.id)
                    self.logprobs.setdefault(event.request, []).append(event.logprob)
            elif isinstance(event, (Done, Failed)):
                self.end[event.request] = event


@pytest.fixture
def heard():
    return Heard
