"""The losses of preferences on a batch: log-probabilities of a model, and what its metrics show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nextword.model.llama import Llama
from nextword.train import preference_losses as losses
from nextword.train.branches import Packed, Tree, merged, pack_trees
from nextword.train.objective import Objective
from nextword.train.plain_text import text_loss
from nextword.train.preference import PreferenceSettings
from nextword.train.sequence_logprobs import Scored, token_logprobs
from nextword.train.step import Batch


@dataclass(frozen=True)
class PairBatch:
    """Trees of two branches, chosen first, and what the reference says of them: (B, 2); plain text beside."""

    trees: Sequence[Tree]
    reference: Tensor
    text: Batch | None = None


@dataclass(frozen=True)
class JudgedBatch:
    """Trees of one branch, good or bad, with the reference's word on each: (B,).

    mismatched: each answer after the next one's prompt, and the reference's word on these.
    """

    trees: Sequence[Tree]
    is_good: Tensor
    reference: Tensor
    mismatched: Sequence[Tree]
    reference_mismatched: Tensor
    text: Batch | None = None


class PreferenceObjective:
    """A batch to its loss under a model, which is read when called. dtype: what the layers work in."""

    def __init__(self, settings: PreferenceSettings, model: Llama, dtype: torch.dtype | None) -> None:
        self.settings, self.model, self.dtype = settings, model, dtype
        self.device = model.frequencies.device

    def __call__(self, batch: PairBatch | JudgedBatch) -> Objective:
        """The mean loss of a batch, and of the text beside it."""
        found = self.judged(batch) if isinstance(batch, JudgedBatch) else self.compared(batch)
        if batch.text is None:
            return found
        text = text_loss(self.model, batch.text, self.dtype)
        tokens = found.tokens + batch.text.targets.numel()
        facts = {**found.facts, "text_loss": text.detach()}
        return Objective(found.loss + self.settings.ptx_weight * text, tokens, facts)

    def compared(self, batch: PairBatch) -> Objective:
        """Two answers to each prompt."""
        method, beta = self.settings.method, self.settings.strength
        trees, answers = merged(batch.trees)
        packed, scored = self._scored(trees, prompts=method == "orpo")
        chosen, rejected = packed.summed(scored.logprobs)[answers].view(-1, 2).unbind(1)
        tokens, rejected_tokens = packed.counts[answers].view(-1, 2).unbind(1)
        ref_chosen, ref_rejected = batch.reference.to(self.device).unbind(1)
        both = chosen, rejected, ref_chosen, ref_rejected
        rewards = beta * (chosen - ref_chosen), beta * (rejected - ref_rejected)
        if method == "dpo":
            loss = losses.dpo(*both, beta, self.settings.smoothing).mean()
        elif method == "ipo":
            loss = losses.ipo(*both, tokens, rejected_tokens, beta).mean()
        else:
            means = chosen / tokens, rejected / rejected_tokens
            rewards = beta * means[0], beta * means[1]
            if method == "simpo":
                loss = losses.simpo(*means, beta, self.settings.gamma, self.settings.smoothing).mean()
            else:
                assert scored.prompts is not None
                said = tokens.sum() + len(scored.prompts)
                nll = -(chosen.sum() + scored.prompts.sum()) / said
                loss = nll + losses.orpo(*means, beta).mean()
        if self.settings.sft_weight:
            loss = loss - self.settings.sft_weight * chosen.sum() / tokens.sum()
        facts = {
            **_seen(*rewards, chosen, rejected),
            "accuracy": (rewards[0] > rewards[1]).float().mean().detach(),
            "entropy": scored.entropies.mean(),
        }
        return Objective(loss, packed.tokens, facts)

    def judged(self, batch: JudgedBatch) -> Objective:
        """One answer to each prompt, good or bad."""
        settings, beta = self.settings, self.settings.strength
        with torch.no_grad():
            others, found = self._scored(batch.mismatched)
            kl = losses.kto_kl(others.summed(found.logprobs), batch.reference_mismatched.to(self.device))
        packed, scored = self._scored(batch.trees)
        logprobs, reference = packed.summed(scored.logprobs), batch.reference.to(self.device)
        is_good = batch.is_good.to(self.device)
        weights = settings.desirable, settings.undesirable
        loss = losses.kto(logprobs, reference, is_good, kl, beta, *weights).mean()
        rewards = beta * (logprobs - reference).detach()
        facts = {
            **_seen(rewards[is_good], rewards[~is_good], logprobs[is_good], logprobs[~is_good]),
            "accuracy": ((rewards > beta * kl) == is_good).float().mean(),
            "entropy": scored.entropies.mean(),
            "reference_point": kl,
        }
        return Objective(loss, packed.tokens, facts)

    def _scored(self, trees: Sequence[Tree], prompts: bool = False) -> tuple[Packed, Scored]:
        packed = pack_trees(trees).to(self.device)
        return packed, token_logprobs(self.model, packed, self.dtype, prompts)


def _seen(good: Tensor, bad: Tensor, chosen: Tensor, rejected: Tensor) -> dict[str, Tensor | float]:
    """Rewards and log-probabilities of both sides; a side that a batch has not is left out."""
    sides = {
        "chosen_reward": good,
        "rejected_reward": bad,
        "chosen_logprob": chosen,
        "rejected_logprob": rejected,
    }
    found: dict[str, Tensor | float] = {
        name: values.detach().mean() for name, values in sides.items() if len(values)
    }
    if len(good) and len(bad):
        found["margin"] = (good.mean() - bad.mean()).detach()
    return found
