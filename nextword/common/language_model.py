"""`LanguageModel`: the port above which there are no tensors.

Everything that thinks, serves, guards or attacks speaks to a model through these few names; torch, run.c, an
HTTP endpoint and a scripted fake stand behind them. Synchronous and thread-safe.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal, Protocol, runtime_checkable

from nextword.common.errors import BadInput, NextwordError
from nextword.common.records import Conversation

_serial = itertools.count()


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn. Temperature 0 is greedy; a filter at its neutral value does nothing."""

    temperature: float = 1.0
    top_k: int = 0
    """Keep the k most likely; 0 keeps all."""
    top_p: float = 1.0
    """Keep the smallest set whose probability reaches p (Holtzman et al. 2020)."""
    min_p: float = 0.0
    """Drop tokens less likely than p times the most likely one."""
    repeat_penalty: float = 1.0
    """Divide (multiply when negative) the logits of tokens seen before (CTRL, Keskar et al. 2019)."""
    max_new_tokens: int = 128
    top_logprobs: int = 0
    """With each token, report this many of the most likely ones at its place (OpenAI's word)."""

    def __post_init__(self) -> None:
        for name, fits, expected in (
            ("temperature", 0 <= self.temperature < inf, "at least 0"),
            ("top_k", self.top_k >= 0, "at least 0"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("min_p", 0 <= self.min_p <= 1, "between 0 and 1"),
            ("repeat_penalty", 0 < self.repeat_penalty < inf, "above 0"),
            ("max_new_tokens", self.max_new_tokens >= 0, "at least 0"),
            ("top_logprobs", self.top_logprobs >= 0, "at least 0"),
        ):
            if not fits:  # also for not-a-number, of which every comparison is false
                raise BadInput(f"{name} is {getattr(self, name)}, expected {expected}")


@dataclass(frozen=True)
class Request:
    """One thing to continue: text, token ids, or a conversation to answer."""

    prompt: str | list[int] | Conversation
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    tools: list[dict[str, Any]] | None = None
    seed: int = 0
    priority: int = 0
    id: str = field(default_factory=lambda: f"r{next(_serial)}")


@dataclass(frozen=True)
class Alternative:
    """A token that might have come next; `text` shows half a character as U+FFFD."""

    id: int | None
    text: str
    logprob: float


@dataclass(frozen=True)
class Token:
    """One token of a request's continuation.

    `text` is what has become certain with it: empty while a character or a possible stop string is
    incomplete. The texts of a request's events, joined, are its answer. `logprob` is the model's own, before
    any filter; `top` are the likeliest tokens at this place, where `Sampling.top_logprobs` asked for them.
    """

    request: str
    id: int | None
    text: str
    logprob: float | None = None
    top: tuple[Alternative, ...] = ()


@dataclass(frozen=True)
class Usage:
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Done:
    """A request's continuation has ended."""

    request: str
    reason: Literal["stop", "length", "cancelled"]
    usage: Usage


@dataclass(frozen=True)
class Failed:
    """A request could not be served; the others go on."""

    request: str
    error: NextwordError


Event = Token | Done | Failed


@dataclass(frozen=True)
class Capabilities:
    """What a driver can do, so that callers ask instead of guessing."""

    name: str
    context: int
    ids: bool = False
    logprobs: bool = False
    adapters: bool = False
    grammars: bool = False


@runtime_checkable
class LanguageModel(Protocol):
    """The port. Wrappers take one and are one."""

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do and how long its context is."""
        ...

    def generate(self, requests: Sequence[Request]) -> Iterator[Event]:
        """Continue every request, yielding events as they come, interleaved; each ends in Done or Failed."""
        ...

    def score(self, prompt: str | list[int], continuation: str | list[int]) -> list[float]:
        """Natural-log probability of each token of the continuation after the prompt."""
        ...

    def cancel(self, id: str) -> None:
        """Stop a running request; it ends in Done(reason="cancelled"). Unknown ids are ignored."""
        ...
