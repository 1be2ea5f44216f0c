"""How far a policy has gone from the model it began as, measured on what it says itself.

KL(policy || reference) is the mean of ln p - ln p_ref over the policy's own answers (Schulman's k1, and k3
beside it for its lower variance). Measured on other people's answers, such as the training data, it would be
another number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from nextword.model.llama import Llama
from nextword.train.assistant import Assistant
from nextword.train.branches import Branch, Tree, pack_trees
from nextword.train.policy_losses import k3
from nextword.train.rollout import sampled
from nextword.train.sequence_logprobs import in_pieces, token_logprobs


@dataclass(frozen=True)
class Divergence:
    """Nats an answer, nats a token, and tokens of an answer."""

    answer: float
    token: float
    length: float


@torch.no_grad()
def divergence(
    assistant: Assistant,
    policy: Llama,
    reference: Llama,
    prompts: Sequence[Sequence[int]],
    tokens: int,
    seed: int,
) -> Divergence:
    """Over one answer to each prompt, of at most `tokens` tokens, by k3: never negative."""
    room = assistant.context - tokens
    fitting = [prompt for prompt in prompts if len(prompt) <= room]
    found = sampled(assistant.speaking(policy, 32), fitting, 1, tokens, seed)
    trees = [
        Tree(tuple(fitting[one.prompt]), (Branch(tuple(one.ids), (1,) * len(one.ids)),)) for one in found
    ]
    total, count = 0.0, 0
    for piece in in_pieces(trees, 16_384):
        packed = pack_trees(piece).to(policy.frequencies.device)
        own, ref = (token_logprobs(model, packed).logprobs for model in (policy, reference))
        total += float(k3(own, ref).sum())
        count += len(own)
    answers = max(len(trees), 1)
    return Divergence(total / answers, total / max(count, 1), count / answers)
