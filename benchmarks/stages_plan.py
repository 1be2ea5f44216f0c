"""The plan of stages.py: all that there is to tune, in one place.

The first values were guessed so that a seed takes its twenty minutes on two cores; what tuning then found is
said beside each, or in benchmarks/records/stages/tried.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Plan:
    """What a seed does: all that there is to tune. `--scale` makes counts smaller, and no rates."""

    depth: int = 3
    width: int = 128
    """Narrower than `make` takes: at equal time as good a base, and all that follows takes less."""
    base_rows: int = 8
    base_steps: int = 1_050
    look_tokens: int = 16_384
    """Held-out tokens of a look along the way."""
    conversations: int = 32_000
    lessons: int = 24_000
    """Conversations that are searched for, and learnt from together with the hand-written ones."""
    sft_rows: int = 8
    sft_steps: int = 1_050
    """Of finetuning, and of finetuning on shuffled answers."""
    sft_matrix_rate: float = 0.01
    sft_vector_rate: float = 0.003
    sft_replay: float = 0.0
    """Share of the rows that is plain text of pretraining, against forgetting."""
    compared: int = 4_500
    """Questions that are answered `answers` times, which the rule then compares; most were no lessons."""
    answers: int = 1
    judged: int = 200
    """The same of held-out functions: what the reward model is measured on."""
    reward_steps: int = 150
    reward_rate: float = 5e-4
    dpo_steps: int = 420
    dpo_rate: float = 4e-4
    dpo_beta: float = 0.1
    dpo_sft: float = 10.0
    """Weight of the chosen answers' own loss; without it DPO unlearnt to end its answers (tried.md)."""
    dpo_ptx: float = 0.02
    """Weight of the loss of plain text, a row each step, against forgetting (tried.md)."""
    ppo_steps: int = 70
    ppo_batch: int = 24
    ppo_samples: int = 2
    ppo_passes: int = 2
    ppo_rate: float = 2e-4
    ppo_kl: float = 0.1
    ppo_sft: float = 20.0
    """Weight of the written answers' own loss, as InstructGPT mixed other text in."""
    ppo_prompts: int = 2_400
    asked: int = 600
    """Held-out questions that everyone answers."""
    kl_prompts: int = 64
    hh_pairs: int = 800
    bits_tokens: int = 75_000
    """Held-out tokens, at most, that bits per byte are measured on at the end."""

    def scaled(self, scale: float) -> Plan:
        """So much less of everything, but enough for each step to be taken."""
        counts = {name: max(least, round(getattr(self, name) * scale)) for name, least in LEAST.items()}
        return self if scale == 1 else replace(self, **counts)


LEAST = {
    "depth": 2, "base_rows": 2, "base_steps": 16, "look_tokens": 500, "conversations": 400, "lessons": 200,
    "sft_rows": 2, "sft_steps": 40, "compared": 24, "judged": 16, "reward_steps": 2, "dpo_steps": 2,
    "ppo_steps": 2, "ppo_prompts": 64, "asked": 24, "kl_prompts": 8, "hh_pairs": 24, "bits_tokens": 4_000,
}  # fmt: skip
