"""Learning from comparisons without a reward model: DPO and its kin.

    OUT/run.json          settings, commit, versions, data     plan.json        steps and schedule
    OUT/metrics.jsonl     every step, every look               curves.png       the same, drawn
    OUT/reference/        what the reference says of the data  result.json      how it ended
    OUT/checkpoints/      the last few, to resume from         model/           the newest, to use

People prefer one answer to another; a policy implies a reward for each (how much likelier it has become than
under the model it began as), and these losses fit that reward to the preferences (`preference_losses.py`).
ORPO and SimPO need no reference. Both answers go through the network in one forward pass with their prompt
computed once, and the reference was asked before training began.

Watch `chosen_logprob`: DPO may lower both answers, only the rejected one more, and answers that were written
by others than the policy it lowers until nothing ends any more. `sft_weight` adds the chosen answer's own
-ln p, as Pang et al. 2024 did (RPO, eq. 2); `ptx_weight` that of plain text, against forgetting
(`plain_text.py`). `kl` is measured on answers that the policy gives itself to
held-out prompts.

The same call continues an interrupted run and returns the result of a finished one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.common.settings import option
from nextword.train.method_settings import check_read
from nextword.train.run_folder import finished, learnt_from
from nextword.train.stage_settings import FREE, AlignmentSettings, check_choice

METHODS = ("dpo", "ipo", "kto", "orpo", "simpo")
WITH_REFERENCE = ("dpo", "ipo", "kto")
READERS = {
    "gamma": ("simpo",),
    "smoothing": ("dpo", "simpo"),
    "sft_weight": ("dpo", "ipo", "orpo", "simpo"),
    "desirable": ("kto",),
    "undesirable": ("kto",),
}
"""The methods that read a setting which not all of them do; kto has no chosen answers to learn."""
USUAL_BETA = {"dpo": 0.1, "ipo": 0.1, "kto": 0.1, "orpo": 0.1, "simpo": 2.0}


@dataclass(frozen=True)
class PreferenceSettings(AlignmentSettings):
    """How to learn from comparisons."""

    method: str = option("dpo", "dpo, ipo, kto, orpo or simpo")
    beta: float = option(0.0, "how dear it is to leave the reference; 0 is the method's usual", least=0)
    gamma: float = option(0.5, "simpo: the margin to reach", least=0)
    smoothing: float = option(0.0, "dpo, simpo: share of labels thought to be wrong", least=0, most=0.5)
    sft_weight: float = option(0.0, "weight of -ln p a token of the chosen answers, added", least=0)
    desirable: float = option(1.0, "kto: weight of good answers", least=0)
    undesirable: float = option(1.0, "kto: weight of bad answers", least=0)
    held_out: float = option(10.0, "percent of the prompts to measure on", least=0, most=90)
    answers: int = option(32, "answers to held-out prompts, at each look, for the KL; 0 for none", least=0)
    answer_tokens: int = option(64, "tokens of each of them, at most", least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self, "method", METHODS)
        check_read(self, READERS)
        if self.method == "kto" and self.batch < 2:
            raise BadInput("batch is 1", do="kto compares the answers of a batch: give at least 2")

    @property
    def strength(self) -> float:
        """beta, or the method's usual one."""
        return self.beta or USUAL_BETA[self.method]


@dataclass(frozen=True)
class PreferenceResult:
    """How it ended. Accuracy is the share of held-out pairs whose chosen answer the policy's reward prefers.

    kl: nats an answer from the first model, on the policy's own answers, of `length` tokens in the mean. None
    without held-out prompts.
    """

    model: Path
    method: str
    records: int
    held_out: int
    left_out: dict[str, int]
    steps: int
    loss: float
    accuracy_before: float | None
    accuracy: float | None
    margin: float | None
    kl: float | None
    length: float | None
    seconds: float

    def told(self) -> str:
        """How it ended, in a line for a person."""
        told = f"{self.method}: {self.records:,} records, {self.steps:,} steps, loss {self.loss:.3f}"
        if self.accuracy is None or self.accuracy_before is None:
            return f"{told}; none was held out, so how often it is right is not known"
        told += f"; {self.accuracy:.0%} of {self.held_out:,} held-out ones right"
        told += f" ({self.accuracy_before:.0%} before)"
        if self.kl is not None and self.length is not None:
            told += f"; own answers of {self.length:.1f} tokens, {self.kl:.2f} nats from the first model"
        return told


def align_by_preference(
    settings: PreferenceSettings,
    assistant: Path,
    comparisons: Sequence[Path],
    out: Path,
    progress: Progress | None = None,
    tokens: Path | None = None,
) -> PreferenceResult:
    """Train the model of folder `assistant` on files of comparisons (kto: or of rated answers), into `out`.

    tokens: shards of plain text to learn beside them, as `ptx_weight` says. Raises BadInput for records, a
    template, settings or a stale reference that cannot be trained with; Failure when training diverges or the
    disk is full, with the last checkpoint intact.
    """
    from nextword.train.preference_run import PreferenceRun  # torch comes with it
    from nextword.train.stage import alone

    began = time.perf_counter()
    facts = learnt_from(assistant, comparisons, tokens)
    done = finished(PreferenceResult, settings, out, FREE, assistant=str(assistant), **facts)
    if done is not None:
        return done
    with alone(settings.device) as processes, progress or Progress(settings.method, unit="tokens") as bar:
        return PreferenceRun(settings, assistant, comparisons, tokens, out, processes).train(bar, began)
