"""Reinforcement learning from any reward: PPO as InstructGPT has it, and the groups that need no critic.

    OUT/run.json          settings, commit, versions           plan.json     steps and schedule
    OUT/metrics.jsonl     every step                           curves.png    the same, drawn
    OUT/samples.jsonl     an answer now and then, its reward   result.json   how it ended
    OUT/checkpoints/      the last few, to resume from         model/        the newest, to use

A step lets the policy answer some prompts (`rollout.py`), scores the answers, and makes likelier what was
better than expected (`policy_losses.py`). What was expected comes from a value network, a second Llama with
a scalar head (ppo), or from the other answers to the same prompt (grpo, rloo, dr_grpo); groups whose answers
were all as good teach nothing and are dropped. A leash, the KL to the model it began as, is part of the
reward of every token (ppo), of an answer (rloo) or of the loss (grpo).

A policy is paid by the reward, not by what the reward was meant to mean. When it has found a gap it leaves
the reference fast, or its answers grow without end: training then stops, says so, and keeps the last model
from before. The reward may be a function of the conversation, such as a `Task.reward`, or the folder of a
reward model; the critic then begins as that model.

InstructGPT (Ouyang et al. 2022) whitened rewards, which is a setting here: with a reward in natural units it
changes how dear the leash is from step to step. It also mixed the gradients of other text in, against
forgetting (PPO-ptx, eq. 2): `ptx_weight` does so with plain text (`plain_text.py`), and `sft_weight` with the
answers that people have written to the prompts, which the network has just read. Left out of it: minibatches,
since a step of ours is about as large as one. Left out of others: an entropy bonus, drawing new prompts for
dropped groups (DAPO), and learning from answers of an older policy.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.common.records import Conversation
from nextword.common.settings import option
from nextword.train.method_settings import check_read
from nextword.train.run_folder import finished, hash_of, inputs, with_text
from nextword.train.stage_settings import FREE, AlignmentSettings, check_choice

if TYPE_CHECKING:
    from nextword.train.rollout import Rollout

METHODS = ("ppo", "grpo", "rloo", "dr_grpo")
READERS = dict.fromkeys(("value_clip", "gamma", "gae_lambda", "whiten_rewards"), ("ppo",))
"""The methods that read a setting which not all of them do: the others have no critic."""
Reward = Callable[[Conversation], float]


@dataclass(frozen=True)
class PolicySettings(AlignmentSettings):
    """How to learn from a reward. `batch` is prompts a step; each is answered `samples` times."""

    method: str = option("ppo", "ppo, grpo, rloo or dr_grpo")
    batch: int = option(8, "prompts of a step", least=1)
    samples: int = option(4, "answers to each prompt", least=1)
    answer_tokens: int = option(64, "tokens of an answer, at most", least=1)
    passes: int = option(0, "times that a step's answers are learnt from; 0 is 4 for ppo, else 1", least=0)
    kl_coef: float = option(0.05, "how dear a nat of KL to the reference is", least=0)
    sft_weight: float = option(0.0, "weight of -ln p a token of the prompts' written answers, added", least=0)
    kl_target: float = option(0.0, "nats an answer at which kl_coef is held by itself; 0 leaves it", least=0)
    clip_eps: float = option(0.2, "how far one step's ratios may count", above=0)
    value_clip: float = option(0.2, "ppo: how far one step's values may move", above=0)
    gamma: float = option(1.0, "ppo: discount of a token", above=0, most=1)
    gae_lambda: float = option(0.95, "ppo: 0 trusts the critic, 1 the rewards", least=0, most=1)
    whiten_rewards: bool = option(False, "ppo: divide the rewards of a step's tokens by their deviation")
    missing_eos: float = option(1.0, "taken from the reward of an answer that does not end", least=0)
    max_kl: float = option(25.0, "nats an answer beyond which training stops; 0 never", least=0)
    max_growth: float = option(3.0, "growth of the answers at which training stops; 0 never", least=0)
    least_length: float = option(0.0, "mean tokens of an answer below which training stops", least=0)
    together: int = option(64, "answers that are generated together", least=1)
    precision: str = option("fp32", "of learning: bf16 (weights stay fp32) or fp32")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self, "method", METHODS)
        check_read(self, READERS)
        if self.method != "ppo" and self.samples < 2:
            raise BadInput(
                "samples is 1", do=f"{self.method} compares the answers of a group: give 2 or more"
            )

    @property
    def times(self) -> int:
        """`passes`, or the method's usual."""
        return self.passes or (4 if self.method == "ppo" else 1)


@dataclass(frozen=True)
class PolicyResult:
    """How it ended. Rewards and lengths are means over the first and last tenth of the steps; kl is nats an
    answer.

    stopped: why it ended early, with the model of the last checkpoint before; "" when it did not.
    """

    model: Path
    method: str
    prompts: int
    left_out: dict[str, int]
    steps: int
    reward_before: float
    reward: float
    kl: float | None
    length_before: float
    length: float
    stopped: str
    seconds: float

    def told(self) -> str:
        """How it ended, in a line for a person."""
        told = f"{self.method}: {self.prompts:,} prompts, {self.steps:,} steps"
        told += f"; reward {self.reward_before:.3f} at first, {self.reward:.3f} at last"
        told += f"; answers of {self.length_before:.1f} tokens, now {self.length:.1f}"
        return told + ("" if self.kl is None else f"; {self.kl:.2f} nats an answer from the first model")


def align_by_policy(
    settings: PolicySettings,
    assistant: Path,
    prompts: Sequence[Conversation] | Path,
    reward: Reward | Path,
    out: Path,
    progress: Progress | None = None,
    rollout: Rollout | None = None,
    tokens: Path | None = None,
) -> PolicyResult:
    """Train the model of folder `assistant` to be rewarded, into `out`.

    prompts: conversations, or a file of them; a last answer is taken off, `meta` is there for the reward.
    rollout: lets the model answer, instead of one plain answer by the engine. tokens: shards of plain text to
    learn beside, as `ptx_weight` says.

    Raises BadInput for prompts, settings, a reward that is not a number, a stale reference, or a folder whose
    run has learnt from others; Failure when training diverges or the disk is full, with the last checkpoint
    intact.
    """
    from nextword.train.policy_run import PolicyRun  # torch comes with it
    from nextword.train.stage import alone

    began = time.perf_counter()
    facts = facts_of(assistant, prompts, reward, tokens)
    done = finished(PolicyResult, settings, out, FREE, assistant=str(assistant), **facts)
    if done is not None:
        return done
    with alone(settings.device) as processes, progress or Progress(settings.method, unit="tokens") as bar:
        run = PolicyRun(settings, assistant, prompts, reward, tokens, out, processes, rollout)
        return run.train(bar, began)


def facts_of(
    assistant: Path,
    prompts: Sequence[Conversation] | Path,
    reward: Reward | Path,
    tokens: Path | None = None,
) -> dict[str, Any]:
    """What run.json says of all that is learnt from: prompts with what is written to them, reward, text."""
    judge: Path | str
    if isinstance(reward, Path):
        name, judge = str(reward), engine.model_folder(reward)
    else:
        name = getattr(reward, "__qualname__", repr(type(reward)))
        judge = _known_by(name, reward)
    asked = prompts if isinstance(prompts, Path) else hash_of(prompts)
    begun = engine.model_folder(assistant)
    return {"reward": name, **inputs(assistant=begun, data=asked, reward=judge, **with_text(tokens))}


def _known_by(name: str, reward: Reward) -> str:
    """A hash of a function's name, and of the fields of the object whose method it is: a task's questions.

    What a function does cannot be asked; one that changed under its name is taken for what it was.
    """
    owner = getattr(reward, "__self__", None)
    return hash_of([name, json.dumps(owner, default=_fields_of, skipkeys=True)])


def _fields_of(one: object) -> object:
    """For JSON: a dataclass by its fields but its name (where its file lies, say), all else by its type."""
    if is_dataclass(one) and not isinstance(one, type):
        return {field.name: getattr(one, field.name) for field in fields(one) if field.name != "name"}
    return type(one).__qualname__
