"""What the stages after finetuning have in common: how long, how fast, where."""

from __future__ import annotations

from dataclasses import dataclass

from nextword.common.errors import BadInput
from nextword.common.settings import check_ranges, option

FREE = ("minutes", "steps", "device", "keep")
"""Settings that may change when a run goes on; the others decide what it learns."""


@dataclass(frozen=True)
class StageSettings:
    """How to train. `epochs` says how long, unless `minutes` or `steps` do."""

    epochs: float = option(1.0, "times that everything is seen", least=0)
    minutes: float = option(0.0, "time to train for, looks and saving included; 0 counts epochs", least=0)
    steps: int = option(0, "steps to train for; 0 counts epochs or minutes", least=0)
    batch: int = option(16, "records of a step; of comparisons, prompts with all their pairs", least=1)
    rate: float = option(5e-5, "learning rate (AdamW)", above=0)
    weight_decay: float = option(0.0, "decoupled weight decay of hidden matrices", least=0)
    clip: float = option(1.0, "largest norm of the gradient; 0 does not clip", least=0)
    warmup: int = option(5, "steps in which the rate rises", least=0)
    decay: float = option(0.8, "share of the run in which the rate falls to zero", least=0, most=1)
    precision: str = option("bf16", "bf16 (weights stay fp32) or fp32")
    device: str = option("auto", "auto, cpu, cuda or mps")
    keep: int = option(2, "checkpoints to keep", least=1)
    seed: int = option(0, "of the order of the records and of all that is drawn")

    def __post_init__(self) -> None:
        check_choice(self, "precision", ("bf16", "fp32"))
        check_ranges(self)
        if not (self.epochs or self.minutes or self.steps):
            raise BadInput("epochs, minutes and steps are all 0", do="say how long to train")


@dataclass(frozen=True)
class AlignmentSettings(StageSettings):
    """How to train what comes after finetuning; plain text may be learnt beside it (`plain_text.py`)."""

    ptx_weight: float = option(0.0, "weight of -ln p a token of plain text (--tokens), added", least=0)
    ptx_rows: int = option(1, "rows of plain text a step, of 512 tokens at most", least=1)


def check_choice(settings: object, name: str, choices: tuple[str, ...]) -> None:
    """BadInput when a setting is none of its choices."""
    value = getattr(settings, name)
    if value not in choices:
        raise BadInput(f"{name} is {value!r}", do=f"choose {', '.join(choices[:-1])} or {choices[-1]}")
