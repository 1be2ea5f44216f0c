"""Rewards of answers: a function of the conversation, or a reward model, each a finite number or an error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from nextword import engine
from nextword.common.dialogue import Trajectory
from nextword.common.errors import BadInput
from nextword.common.records import Conversation
from nextword.model.scalar_head import ScalarLlama, load_scalar
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.assistant import Assistant
from nextword.train.branches import Branch, Tree
from nextword.train.reward_run import tree_rewards

Score = Callable[[Sequence[Conversation], Sequence[Trajectory]], list[float]]


@dataclass(frozen=True)
class ByFunction:
    """Each conversation to its number."""

    reward: Callable[[Conversation], float]

    def __call__(
        self, conversations: Sequence[Conversation], trajectories: Sequence[Trajectory]
    ) -> list[float]:
        """The rewards of answered conversations."""
        return checked([float(self.reward(one)) for one in conversations], conversations)


@dataclass(frozen=True)
class ByModel:
    """What a reward model says at each answer's last token."""

    model: ScalarLlama

    @staticmethod
    def open(path: Path, assistant: Assistant) -> ByModel:
        """A reward model's folder; BadInput when it reads other tokens than the assistant writes."""
        folder = engine.model_folder(path)
        if Tokenizer.load(folder).fingerprint != assistant.tokenizer.fingerprint:
            do = "train a reward model on this assistant, or on another with its tokenizer"
            raise BadInput("has another tokenizer than the assistant", where=folder, do=do)
        return ByModel(load_scalar(folder, assistant.model.frequencies.device).requires_grad_(False))

    def __call__(
        self, conversations: Sequence[Conversation], trajectories: Sequence[Trajectory]
    ) -> list[float]:
        """The rewards of trajectories."""
        trees = [
            Tree(tuple(one.ids[:1]), (Branch(tuple(one.ids[1:]), (1,) * (len(one.ids) - 1)),))
            for one in trajectories
        ]
        return checked(tree_rewards(self.model, trees), conversations)


def checked(rewards: list[float], conversations: Sequence[Conversation]) -> list[float]:
    """The rewards; BadInput for one that is not a finite number, naming the answer."""
    for value, conversation in zip(rewards, conversations, strict=True):
        if not math.isfinite(value):
            said = str(conversation.messages[-1].content)
            raise BadInput(
                f"the reward of the answer {said!r:.80} is {value}",
                do="mend the reward: every answer, however odd, needs a finite number",
            )
    return rewards


def critic(score: Score, assistant: Assistant, seed: int) -> ScalarLlama:
    """A value network to begin with: the reward model's copy, or the assistant's trunk, expecting nothing."""
    if isinstance(score, ByModel):
        copy = ScalarLlama(score.model.config).to(score.model.frequencies.device)
        copy.load_state_dict(score.model.state_dict())
        return copy
    made = ScalarLlama.on(assistant.model, seed)
    with torch.no_grad():
        made.score.weight.zero_()
    return made
