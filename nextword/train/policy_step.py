"""One step of reinforcement learning: answer, score, compare with what was expected, learn.

    trajectories  the policy's answers to the step's prompts, with the log-probabilities it gave their tokens
    advantages    how much better each was than expected: ppo asks the critic, the others the group
    passes        the answers are learnt from once or a few times, ratios clipped

Tensors of tokens are (S, A): S answers in the order of the trajectories, A tokens of the longest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

import torch
from torch import Tensor, nn

from nextword.common.dialogue import Trajectory
from nextword.common.errors import BadInput
from nextword.common.records import Conversation
from nextword.model.llama import Llama
from nextword.model.scalar_head import ScalarLlama
from nextword.train import policy_losses as policy
from nextword.train.answer_rewards import Score
from nextword.train.assistant import Assistant
from nextword.train.bounds import check_bounds
from nextword.train.branches import Branch, Packed, Tree, pack_trees
from nextword.train.memory import keep_freed_memory
from nextword.train.optimiser import Optimiser
from nextword.train.plain_text import text_loss
from nextword.train.policy import PolicySettings
from nextword.train.prompts import Asked, PromptBatches
from nextword.train.rollout import Rollout, answered, facts_of, logprobs_of, tree_of_answers
from nextword.train.sequence_logprobs import Scored, hidden_states, in_pieces, token_logprobs
from nextword.train.step import Batch, StepResult

KL_EVERY = 10
"""Steps between two measurements of the KL where it costs nothing, so that it is looked at anyway."""

ADVANTAGES = {
    "grpo": policy.grpo_advantages,
    "rloo": policy.rloo_advantages,
    "dr_grpo": policy.dr_grpo_advantages,
}


class Learners(nn.Module):
    """What learns: the policy, and ppo's critic."""

    def __init__(self, policy: Llama, value: ScalarLlama | None) -> None:
        super().__init__()
        self.policy, self.value = policy, value


@dataclass(frozen=True)
class Experience:
    """What a step has to learn from: a tree for each prompt, and (S, A) tensors of its answers.

    old_values, returns: ppo's, else zeros. ref: the reference's log-probabilities, old ones where not asked.
    written: the answer that each prompt had, where it is to be learnt too; apart: those of prompts whose own
    answers teach nothing.
    """

    trees: Sequence[Tree]
    written: Sequence[Branch | None]
    apart: Sequence[Tree]
    mask: Tensor
    old: Tensor
    ref: Tensor
    advantages: Tensor
    old_values: Tensor
    returns: Tensor

    def of(self, kept: Tensor) -> Experience:
        """Of these trees only, (P,) bool; what was written to the other prompts stays."""
        rows = kept.repeat_interleave(len(self.mask) // len(self.trees))
        flags = kept.tolist()
        trees = list(compress(self.trees, flags))
        written = list(compress(self.written, flags))
        left = zip(self.trees, self.written, flags, strict=True)
        apart = [Tree(tree.prefix, (branch,)) for tree, branch, flag in left if branch and not flag]
        parts = (self.mask, self.old, self.ref, self.advantages, self.old_values, self.returns)
        return Experience(trees, written, apart, *(part[rows] for part in parts))


class PolicyStep:
    """Everything between two batches of prompts."""

    def __init__(
        self,
        settings: PolicySettings,
        assistant: Assistant,
        reference: Llama,
        learners: Learners,
        optimiser: Optimiser,
        prompts: Sequence[Conversation],
        written: Sequence[Branch | None],
        score: Score,
        rollout: Rollout,
        batches: PromptBatches,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.settings, self.assistant, self.reference = settings, assistant, reference
        self.learners, self.optimiser = learners, optimiser
        self.prompts, self.written = prompts, written
        self.score, self.rollout, self.batches, self.clock = score, rollout, batches, clock
        self.device = reference.frequencies.device
        self.dtype = torch.bfloat16 if settings.precision == "bf16" else None
        self.seen: list[tuple[Conversation, float]] = []
        """The last step's conversations and rewards."""
        if self.device.type == "cpu":
            keep_freed_memory()

    def step(self, batch: Asked) -> StepResult:
        """Answer, score, learn. Hacked when the answers are out of bounds: then nothing is learnt."""
        begin = self.clock()
        trajectories, rewards = self._answered(batch)
        took = self.clock() - begin
        facts: dict[str, float] = {**facts_of(trajectories), **_reward_facts(rewards)}
        experience, kept, more = self._experience(batch, trajectories, rewards)
        facts |= more
        if self.batches.first_length is None:
            self.batches.first_length = facts["length"]
        check_bounds(self.settings, facts, self.batches.first_length)
        if "kl" in facts:
            self.batches.control.update(facts["kl"])
        loss, norm = torch.zeros(()), torch.zeros(())
        experience = experience.of(kept)
        if experience.trees or experience.apart or batch.text is not None:
            loss, norm, learnt = self._learn(experience, batch.text)
            facts |= learnt
        facts["rollout_share"] = took / (self.clock() - begin)
        return StepResult(loss, norm, sum(len(one.ids) for one in trajectories), facts)

    # Answers and their rewards

    def _answered(self, batch: Asked) -> tuple[list[Trajectory], Tensor]:
        """Trajectories, prompt 0's first, and their rewards less what a missing end costs: (P, G)."""
        settings, asked = self.settings, [self.prompts[number] for number in batch.numbers]
        speaking = self.assistant.speaking(self.learners.policy, settings.together)
        found = self.rollout(speaking, asked, settings.samples, batch.seed)
        found = sorted(found, key=lambda one: int(one.meta["prompt"]))
        counts = [sum(one.meta["prompt"] == number for one in found) for number in range(len(asked))]
        if set(counts) != {settings.samples}:
            raise BadInput(
                f"the rollout gave {counts} answers, {settings.samples} were asked for each prompt"
            )
        for one in found:
            one.meta.setdefault("stopped", one.ids[-1] in self.assistant.ends)
        spoken = [answered(asked[int(one.meta["prompt"])], one) for one in found]
        rewards = self.score(spoken, found)
        self.seen = list(zip(spoken, rewards, strict=True))
        missing = torch.tensor([0.0 if one.meta["stopped"] else settings.missing_eos for one in found])
        return found, (torch.tensor(rewards) - missing).view(len(asked), settings.samples)

    # What was expected

    def _experience(
        self, batch: Asked, trajectories: Sequence[Trajectory], rewards: Tensor
    ) -> tuple[Experience, Tensor, dict[str, float]]:
        """What to learn from, which prompts have any to teach (P,), and what the metrics show of it."""
        G = self.settings.samples
        trees = [tree_of_answers(trajectories[n : n + G]) for n in range(0, len(trajectories), G)]
        old = _rows([logprobs_of(one) for one in trajectories])
        mask = _rows([[1.0] * sum(one.mask) for one in trajectories])
        ref, facts = self._leash(batch, trees, old, mask)
        values, returns = torch.zeros_like(old), torch.zeros_like(old)
        kept = torch.ones(len(trees), dtype=torch.bool)
        if self.settings.method == "ppo":
            values = self._asked(self._values_of, trees, mask)
            advantages, returns = self._by_critic(rewards.flatten(), values, old, ref, mask)
            facts["explained_variance"] = float(policy.explained_variance(values, returns, mask))
        else:
            grouped = self._by_group(rewards, old, ref, mask)
            kept, advantages = grouped.kept, grouped.advantages.flatten()[:, None] * mask
            facts["dropped"] = 1 - float(kept.float().mean())
        tensors = (mask, old, ref, advantages, values, returns)
        written = [self.written[number] if self.settings.sft_weight else None for number in batch.numbers]
        return Experience(trees, written, (), *(tensor.to(self.device) for tensor in tensors)), kept, facts

    def _leash(
        self, batch: Asked, trees: Sequence[Tree], old: Tensor, mask: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """The reference's log-probabilities and the KL; the old ones and none where neither is asked for."""
        if not (self.settings.kl_coef > 0 or batch.number % KL_EVERY == 1):
            return old, {}
        ref = self._asked(self._reference_of, trees, mask)
        kl = float((policy.k3(old, ref) * mask).sum(1).mean())
        return ref, {"kl": kl, "kl_coef": self.batches.control.coef}

    def _by_critic(
        self, rewards: Tensor, values: Tensor, old: Tensor, ref: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Advantages, whitened, and returns; the leash is part of the reward of every token."""
        settings = self.settings
        leashed = policy.token_rewards(rewards, policy.k1(old, ref), mask, self.batches.control.coef)
        if settings.whiten_rewards:
            leashed = policy.whitened(leashed, mask, shift=False)
        advantages, returns = policy.gae(leashed, values, mask, settings.gamma, settings.gae_lambda)
        return policy.whitened(advantages, mask), returns

    def _by_group(self, rewards: Tensor, old: Tensor, ref: Tensor, mask: Tensor) -> policy.Grouped:
        """Against the other answers to the same prompt; rloo's leash is part of an answer's reward."""
        if self.settings.method == "rloo":
            distance = (policy.k1(old, ref) * mask).sum(1).view_as(rewards)
            rewards = rewards - self.batches.control.coef * distance
        return ADVANTAGES[self.settings.method](rewards)

    @torch.no_grad()
    def _asked(self, read: Callable[[Packed], Tensor], trees: Sequence[Tree], mask: Tensor) -> Tensor:
        """One number for each token of each answer, a few trees at a time: (S, A)."""
        rows = torch.zeros_like(mask)
        first = 0
        for piece in in_pieces(trees, 16_384):
            packed = pack_trees(piece).to(self.device)
            found = packed.padded(read(packed)).cpu()
            rows[first : first + len(found), : found.shape[1]] = found
            first += len(found)
        return rows

    def _reference_of(self, packed: Packed) -> Tensor:
        return token_logprobs(self.reference, packed, self.dtype).logprobs

    def _values_of(self, packed: Packed) -> Tensor:
        """The critic in the state before each token: (N,)."""
        assert self.learners.value is not None
        hidden = hidden_states(self.learners.value, packed, self.dtype)
        return self.learners.value.values(hidden[packed.predictors])

    # Learning

    def _learn(self, experience: Experience, text: Batch | None) -> tuple[Tensor, Tensor, dict[str, float]]:
        """All passes over the answers: the last one's loss and gradient norm, and means for the metrics."""
        seen: dict[str, list[float]] = {}
        for _ in range(self.settings.times):
            loss, facts = self._loss(experience, text)
            norm = self._update(loss)
            for name, value in facts.items():
                seen.setdefault(name, []).append(float(value))
            if not bool(norm.isfinite()):
                break
        means = {name: sum(values) / len(values) for name, values in seen.items()}
        return loss.detach(), norm, means

    def _loss(self, seen: Experience, text: Batch | None) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of the answers, and of the written ones and the plain text beside them."""
        loss, facts = self._answers_loss(seen)
        if text is not None:
            said = text_loss(self.learners.policy, text, self.dtype)
            facts |= {"text_loss": said.detach()}
            loss = loss + self.settings.ptx_weight * said
        return loss, facts

    def _answers_loss(self, seen: Experience) -> tuple[Tensor, dict[str, Tensor]]:
        loss, facts = torch.zeros((), device=self.device), dict[str, Tensor]()
        forest, own = with_written(seen.trees, seen.written, seen.apart)
        if not forest:
            return loss, facts
        packed, own = pack_trees(forest).to(self.device), own.to(self.device)
        scored = token_logprobs(self.learners.policy, packed, self.dtype)
        if seen.trees:
            loss, facts = self._policy_loss(seen, packed, scored, own)
        is_written = ~own[packed.sequence]
        if bool(is_written.any()):
            written_loss = -scored.logprobs[is_written].mean()
            facts |= {"written_loss": written_loss.detach()}
            loss = loss + self.settings.sft_weight * written_loss
        return loss, facts

    def _policy_loss(
        self, seen: Experience, packed: Packed, scored: Scored, own: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """own: (S',) which of the packed sequences are the policy's own answers."""
        settings, coef = self.settings, self.batches.control.coef
        logprobs = packed.padded(scored.logprobs)[own]
        A = min(logprobs.shape[1], seen.mask.shape[1])  # dropped groups, or written answers, are the longest
        logprobs = logprobs[:, :A]
        mask, old, advantages = seen.mask[:, :A], seen.old[:, :A], seen.advantages[:, :A]
        facts = {"entropy": scored.entropies[own[packed.sequence]].mean()}
        if settings.method == "rloo":
            sums = (logprobs * mask).sum(1), (old * mask).sum(1)
            losses, is_clipped = policy.clipped_policy_loss(*sums, advantages[:, 0], settings.clip_eps)
            return losses.mean(), facts | {"clipped": is_clipped.float().mean()}
        losses, is_clipped = policy.clipped_policy_loss(logprobs, old, advantages, settings.clip_eps)
        facts["clipped"] = policy.masked_mean(is_clipped.float(), mask)
        if settings.method == "ppo":
            values = packed.padded(self._values_of(packed))[own][:, :A]
            value_losses, _ = policy.clipped_value_loss(
                values, seen.old_values[:, :A], seen.returns[:, :A], settings.value_clip
            )
            value_loss = policy.masked_mean(value_losses, mask)
            policy_loss = policy.masked_mean(losses, mask)
            facts |= {"policy_loss": policy_loss.detach(), "value_loss": value_loss.detach()}
            return policy_loss + value_loss, facts
        if coef:
            losses = losses + coef * policy.k3(logprobs, seen.ref[:, :A])
        if settings.method == "dr_grpo":
            return policy.dr_grpo_loss(losses, mask, settings.answer_tokens), facts
        return policy.grpo_loss(losses, mask), facts

    def _update(self, loss: Tensor) -> Tensor:
        """Follow the gradient, policy and critic each clipped by its own norm; the policy's norm, ()."""
        loss.backward()  # type: ignore[no-untyped-call]
        limit = self.settings.clip or float("inf")
        norms = [
            torch.nn.utils.clip_grad_norm_(list(module.parameters()), limit)
            for module in (self.learners.policy, self.learners.value)
            if module is not None
        ]
        if all(bool(norm.isfinite()) for norm in norms):
            self.optimiser.step()
        self.optimiser.zero_grad()
        return max(norms, key=lambda norm: not bool(norm.isfinite()))


def with_written(
    trees: Sequence[Tree], written: Sequence[Branch | None], apart: Sequence[Tree] = ()
) -> tuple[list[Tree], Tensor]:
    """Trees with the written answer as a last branch, where there is one, then those that are only written.

    And (S',) which branches are not written.
    """
    forest, own = [], []
    for tree, branch in zip(trees, written, strict=True):
        more = (branch,) if branch else ()
        forest.append(Tree(tree.prefix, tree.branches + more))
        own += [True] * len(tree.branches) + [False] * len(more)
    return [*forest, *apart], torch.tensor(own + [False] * len(apart), dtype=torch.bool)


def _rows(lists: Sequence[Sequence[float]]) -> Tensor:
    """Lists as rows, zeros after them: (S, A)."""
    rows = torch.zeros(len(lists), max(1, *(len(one) for one in lists)))
    for n, one in enumerate(lists):
        rows[n, : len(one)] = torch.tensor(one)
    return rows


def _reward_facts(rewards: Tensor) -> dict[str, float]:
    spread = float(rewards.std()) if rewards.numel() > 1 else 0.0
    return {"reward": float(rewards.mean()), "reward_spread": spread}
