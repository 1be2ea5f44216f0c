"""Letting the model being trained answer: prompts to trajectories, through the engine's batched generation.

There is one way to generate in this house, and training uses it: the engine reads the very weights that are
being trained, samples at temperature 1 without filters (then a token's probability is the one the policy
gradient is about), and reports the log-probability of each token it chose. What a run draws depends on its
seed, the step, the prompt and the sample's number alone, so a resumed run draws the same.

A rollout is a function, so that more than one answer can be one: a tool loop that lives in a higher room
gives trajectories whose mask is 0 on what the tools said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from nextword.common.dialogue import Trajectory, messages_of, plain
from nextword.common.errors import BadInput
from nextword.common.language_model import Done, Failed, LanguageModel, Request, Sampling
from nextword.common.records import Conversation, Message, digest
from nextword.tokenizer.chat import ChatTemplate
from nextword.train.branches import Branch, Tree


class Rollout(Protocol):
    """Lets a model answer: so many samples of each prompt, prompt 0's first."""

    def __call__(
        self, model: LanguageModel, prompts: Sequence[Conversation], samples: int, seed: int
    ) -> list[Trajectory]:
        """`meta` of each: "prompt", its number among `prompts`, and "answer", its messages in JSON form."""
        ...


@dataclass
class Sample:
    """One continuation of a prompt: its tokens, their log-probabilities and its text."""

    prompt: int
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    text: str = ""
    stopped: bool = False
    """Whether it ended by itself, and not for its length."""


def sampled(
    model: LanguageModel, prompts: Sequence[Sequence[int]], samples: int, tokens: int, seed: int
) -> list[Sample]:
    """So many samples of each prompt, of at most `tokens` tokens, at temperature 1; prompt 0's first.

    Raises what the model raises, and BadInput when it does not tell ids and log-probabilities.
    """
    can = model.capabilities
    if not (can.ids and can.logprobs):
        raise BadInput("this model tells no ids or no log-probabilities", where=can.name, do="use a folder")
    found: dict[str, Sample] = {}
    requests = []
    for number, prompt in enumerate(prompts):
        for sample in range(samples):
            own = int(digest(f"{seed} {number} {sample}")[:15], 16)
            requests.append(Request(list(prompt), Sampling(max_new_tokens=tokens), seed=own))
            found[requests[-1].id] = Sample(number)
    for event in model.generate(requests):
        one = found[event.request]
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Done):
            one.stopped = event.reason == "stop"
            continue
        one.text += event.text
        if event.id is not None and event.logprob is not None:
            one.ids.append(event.id)
            one.logprobs.append(event.logprob)
    return list(found.values())


@dataclass(frozen=True)
class EngineRollout:
    """One answer to each prompt, as the chat template asks for it."""

    chat: ChatTemplate
    tokens: int
    """Of an answer, at most."""

    def __call__(
        self, model: LanguageModel, prompts: Sequence[Conversation], samples: int, seed: int
    ) -> list[Trajectory]:
        """So many samples of each prompt, prompt 0's first."""
        ids = [self.chat.ids(prompt) for prompt in prompts]
        return [
            Trajectory(
                ids=[*ids[one.prompt], *one.ids],
                mask=[0] * len(ids[one.prompt]) + [1] * len(one.ids),
                logprobs=[0.0] * len(ids[one.prompt]) + one.logprobs,
                meta={
                    "prompt": one.prompt,
                    "answer": plain([Message("assistant", one.text)]),
                    "stopped": one.stopped,
                },
            )
            for one in sampled(model, ids, samples, self.tokens, seed)
        ]


def answered(prompt: Conversation, trajectory: Trajectory) -> Conversation:
    """The prompt with the trajectory's answer after it."""
    answer = messages_of(trajectory.meta["answer"], "assistant")
    return replace(prompt, messages=[*prompt.messages, *answer])


def question_of(conversation: Conversation) -> Conversation:
    """A conversation up to where the assistant is to speak: without its last answer, if it has one."""
    messages = list(conversation.messages)
    while messages and messages[-1].role == "assistant":
        messages.pop()
    return replace(conversation, messages=messages)


def tree_of_answers(trajectories: Sequence[Trajectory]) -> Tree:
    """Trajectories of one prompt as a tree: what they begin with alike, before anything the policy said."""
    shared = min(_first(one.mask) for one in trajectories)
    columns = zip(*(one.ids[:shared] for one in trajectories), strict=True)
    alike = _first(int(len(set(column)) > 1) for column in columns)
    if not alike:
        raise BadInput("a trajectory begins with the policy's own token", do="give it a prompt")
    branches = (Branch(tuple(one.ids[alike:]), tuple(one.mask[alike:])) for one in trajectories)
    return Tree(tuple(trajectories[0].ids[:alike]), tuple(branches))


def _first(values: Iterable[int]) -> int:
    """Where the first value that is not 0 stands; the number of values when there is none."""
    count = 0
    for value in values:
        if value:
            return count
        count += 1
    return count


def logprobs_of(trajectory: Trajectory) -> list[float]:
    """The log-probabilities of the policy's own tokens."""
    return [value for value, on in zip(trajectory.logprobs, trajectory.mask, strict=True) if on]


def facts_of(trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    """How long the answers are, and what share of them ended by itself."""
    count = max(len(trajectories), 1)
    return {
        "length": sum(sum(one.mask) for one in trajectories) / count,
        "stopped": sum(bool(one.meta.get("stopped", True)) for one in trajectories) / count,
    }
