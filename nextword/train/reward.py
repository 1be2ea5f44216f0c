"""A reward model: from people's comparisons to a number that says how good any answer is.

    OUT/run.json         settings, commit, versions, data     plan.json        steps and schedule
    OUT/metrics.jsonl    every step, every look               curves.png       the same, drawn
    OUT/calibration.png  is it as sure as it is right         result.json      how it ended
    OUT/checkpoints/     the last few, to resume from         model/           the newest, to use

The assistant's own network with a head of one number (Ziegler et al. 2019), trained so that the preferred
answer's number is higher (Bradley & Terry 1952); where people said how much better, by that margin (Touvron
et al. 2023, eq. 2). One epoch is the rule: reward models overfit soon (Ouyang et al. 2022, appendix C).

Two things are looked at besides accuracy. Calibration: sigmoid(difference) claims to be a probability, so
among pairs called 80 % sure four of five should be right. Length: people's longer answers are often better,
and a model that has learnt only that will be talked into length by reinforcement learning; so the reward's
correlation with length is reported, and the accuracy on pairs whose longer answer is the wrong one.

The same call continues an interrupted run and returns the result of a finished one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nextword.common.progress import Progress
from nextword.common.settings import option
from nextword.train.run_folder import finished, learnt_from
from nextword.train.stage_settings import FREE, StageSettings


@dataclass(frozen=True)
class RewardSettings(StageSettings):
    """How to learn what people prefer."""

    rate: float = option(1e-4, "learning rate (AdamW)", above=0)
    margin: float = option(0.0, "weight of the records' own margins (`meta.margin`); 0 ignores them", least=0)
    centre: float = option(0.01, "weight that holds the rewards around zero", least=0)
    held_out: float = option(10.0, "percent of the prompts to measure on", least=0, most=90)


@dataclass(frozen=True)
class RewardResult:
    """How it ended. All but counts and loss are of held-out pairs, None where there are none.

    accuracy: the preferred answer's reward is the higher (a draw counts half). calibration_error: the mean
    gap between how sure and how right. length_correlation: of reward and tokens.
    longer_wrong_accuracy: accuracy on pairs whose longer answer is the wrong one. mean, spread: of rewards.
    """

    model: Path
    records: int
    held_out: int
    left_out: dict[str, int]
    steps: int
    loss: float
    accuracy: float | None
    calibration_error: float | None
    length_correlation: float | None
    longer_wrong_accuracy: float | None
    mean: float | None
    spread: float | None
    seconds: float

    def told(self) -> str:
        """How it ended, in a line for a person."""
        learnt = f"{self.records:,} comparisons, {self.steps:,} steps, loss {self.loss:.3f}"
        if self.accuracy is None:
            return f"{learnt}; none was held out, so how often it is right is not known"
        told = f"{learnt}; {self.accuracy:.0%} of {self.held_out:,} held-out ones right"
        if self.calibration_error is not None:
            told += f", calibration error {self.calibration_error:.2f}"
        if self.length_correlation is not None:
            told += f", correlation with length {self.length_correlation:+.2f}"
        return told


def train_reward(
    settings: RewardSettings,
    assistant: Path,
    comparisons: Sequence[Path],
    out: Path,
    progress: Progress | None = None,
) -> RewardResult:
    """Train a reward model on the trunk of folder `assistant` from files of comparisons, into `out`.

    Raises BadInput for records, a template, settings or a changed assistant that cannot be trained with;
    Failure when training diverges or the disk is full, with the last checkpoint intact.
    """
    from nextword.train.reward_run import RewardRun  # torch comes with it
    from nextword.train.stage import alone

    began = time.perf_counter()
    facts = learnt_from(assistant, comparisons)
    done = finished(RewardResult, settings, out, FREE, assistant=str(assistant), **facts)
    if done is not None:
        return done
    with alone(settings.device) as processes, progress or Progress("reward", unit="tokens") as bar:
        return RewardRun(settings, assistant, comparisons, out, processes).train(bar, began)
