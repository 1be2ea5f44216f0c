"""The scripted fake: a LanguageModel that says what it is told, in no time, with every event of a real one.

    FakeModel("Hello there.")                         always says so
    FakeModel({"2+2?": "4", "2+3?": BadInput("…")})   by prompt (a conversation's is its last message)
    FakeModel(lambda request: request.prompt[::-1])   by a function of the request
    FakeModel()                                       says the prompt back

Strategies, tools and servers are tested with it in milliseconds. Its tokens are words with the space before
them, an id each in order of appearance; every scripted token has probability 0.9 and anything else 0.1.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from nextword.common.errors import BadInput, NextwordError
from nextword.common.language_model import (
    Alternative,
    Capabilities,
    Done,
    Event,
    Failed,
    Request,
    Token,
    Usage,
)
from nextword.common.records import Conversation
from nextword.engine.text_stream import TextStream

Answer = str | NextwordError
Script = str | Mapping[str, Answer] | Callable[[Request], Answer] | None

LIKELY, UNLIKELY = math.log(0.9), math.log(0.1)


class FakeModel:
    """The port over a script. `said` keeps every request it was given, for a test to look at."""

    def __init__(self, script: Script = None, context: int = 4096, name: str = "fake") -> None:
        self.script, self.context, self.name = script, context, name
        self.said: list[Request] = []
        self._ids: dict[str, int] = {}
        self._running: set[str] = set()

    @property
    def capabilities(self) -> Capabilities:
        """Ids and log-probabilities, both invented."""
        return Capabilities(self.name, self.context, ids=True, logprobs=True)

    def generate(self, requests: Sequence[Request]) -> Iterator[Event]:
        """Every request a word at a time, in turn."""
        self._running |= {request.id for request in requests}
        self.said += requests
        speeches = [self._speak(request) for request in requests]
        for events in itertools.zip_longest(*speeches):
            yield from (event for some in events if some for event in some)

    def score(self, prompt: str | list[int], continuation: str | list[int]) -> list[float]:
        """log 0.9 for each word that the script says at its place, log 0.1 for others."""
        answer = self._answer(Request(prompt))
        if isinstance(answer, NextwordError):
            raise answer
        scripted, given = pieces(answer), pieces(self._text(continuation))
        return [
            LIKELY if index < len(scripted) and scripted[index] == piece else UNLIKELY
            for index, piece in enumerate(given)
        ]

    def cancel(self, id: str) -> None:
        """End a running request before its next word."""
        self._running.discard(id)

    def _speak(self, request: Request) -> Iterator[list[Event]]:
        """The events of one request, those of a word together."""
        read = Usage(len(pieces(self._text(request.prompt))), 0)
        answer = self._answer(request)
        if isinstance(answer, NextwordError):
            yield [Failed(request.id, answer)]
            return
        stream = TextStream(request.stop)
        words = pieces(answer)
        reason: Literal["stop", "length", "cancelled"] = "stop"
        made = 0
        for made, word in enumerate(words[: request.sampling.max_new_tokens], 1):
            if request.id not in self._running:
                reason, made = "cancelled", made - 1
                break
            is_last = made == min(len(words), request.sampling.max_new_tokens)
            text = stream.push(word.encode("utf-8", "replace")) + (stream.finish() if is_last else "")
            yield [self._token(request, word, text)]
            if stream.is_stopped:
                break
        else:
            reason = "length" if made < len(words) else "stop"
        self._running.discard(request.id)
        held: list[Event] = [Token(request.id, None, text)] if (text := stream.finish()) else []
        yield [*held, Done(request.id, reason, Usage(read.prompt_tokens, made))]

    def _token(self, request: Request, word: str, text: str) -> Token:
        top = (Alternative(self._id(word), word, LIKELY), Alternative(self._id("…"), "…", UNLIKELY))
        return Token(request.id, self._id(word), text, LIKELY, top[: request.sampling.top_logprobs])

    def _answer(self, request: Request) -> Answer:
        prompt = self._text(request.prompt)
        if callable(self.script):
            return self.script(request)
        if isinstance(self.script, Mapping):
            missing = BadInput(f"the script has no answer to {prompt!r:.80}", where=self.name)
            return self.script.get(prompt, missing)
        return prompt if self.script is None else self.script

    def _text(self, prompt: str | list[int] | Conversation) -> str:
        if isinstance(prompt, Conversation):
            content = prompt.messages[-1].content if prompt.messages else ""
            return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        if isinstance(prompt, str):
            return prompt
        words = {id: word for word, id in self._ids.items()}
        return "".join(words.get(id, f" {id}") for id in prompt)

    def _id(self, word: str) -> int:
        return self._ids.setdefault(word, len(self._ids))


def pieces(text: str) -> list[str]:
    """Words, each with the space before it; joined they are the text."""
    return re.findall(r"\s*\S+|\s+", text)
