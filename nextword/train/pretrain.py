"""Pretraining: from token shards to a base model that predicts the next word.

    RUN/base/run.json           settings, commit, versions, seed        plan.json     depth, steps, schedule
    RUN/base/metrics.jsonl      every step, every evaluation            loss.png      the same, drawn
    RUN/base/samples.jsonl      one prompt, dreamed on along the way    result.json   how it ended
    RUN/base/checkpoints/       the last few, to resume from            model/        the newest, to use

The same call continues an interrupted run, returns the result of a finished one, and makes a finished one
longer when more steps or minutes are asked for: it then goes on from the last checkpoint before the decay.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path
from typing import cast

from rich.console import Console

from nextword.common.errors import BadInput
from nextword.common.files import read_json, write_json
from nextword.common.folder_lock import working_in
from nextword.common.progress import Progress
from nextword.common.settings import check_ranges, option
from nextword.train.run_folder import RESULT, begin


@dataclass(frozen=True)
class PretrainSettings:
    """How to pretrain. Either `minutes` or `steps` says how long.

    Batch and rates are the best of a few short runs (benchmarks/records/2026-11-23-pretrain-tuning.md).
    """

    minutes: float = option(5.0, "time to train for, evaluation and saving included (when steps is 0)")
    steps: int = option(0, "steps to train for; 0 derives them from the minutes and the measured speed")
    depth: int = option(0, "layers; width, heads and the rest follow; 0 derives it from the time")
    width: int = option(0, "hidden size at that depth, a multiple of 64; 0 is 64 x depth")
    batch: int = option(8, "rows of a step, over all processes together")
    context: int = option(512, "tokens of a row")
    rows_at_once: int = option(0, "rows a process computes at once, gradients adding up; 0 is all of them")
    copying_heads: bool = option(True, "begin with two heads that copy; else all weights begin at random")
    within_documents: bool = option(False, "attention does not cross from one document to the next")
    optimiser: str = option("muon", "muon (AdamW for embeddings, head and norms) or adamw")
    matrix_rate: float = option(0.02, "learning rate of hidden matrices (muon)")
    vector_rate: float = option(0.006, "learning rate of everything else (AdamW)")
    momentum: float = option(0.95, "momentum of muon")
    weight_decay: float = option(0.1, "decoupled weight decay of hidden matrices")
    clip: float = option(1.0, "largest norm of the gradient; 0 does not clip")
    warmup: int = option(10, "steps in which the rate rises")
    decay: float = option(0.5, "share of the run in which the rate falls to zero")
    precision: str = option("bf16", "bf16 (weights stay fp32) or fp32")
    compile: str = option("auto", "torch.compile: auto (when it repays its time), on or off")
    device: str = option("auto", "auto, cpu, cuda or mps")
    parallel: str = option("ddp", "under torchrun: ddp (a copy each) or fsdp (slices)")
    seed: int = option(0, "of the first weights and the order of the text")
    prompt: str = option("The", "what is dreamed on at 1, 10 and 100 % of training")
    sample_tokens: int = option(64, "tokens of each dream")
    quick_tokens: int = option(16_384, "held-out tokens of an evaluation along the way")
    final_tokens: int = option(1_000_000, "held-out tokens, at most, of the last evaluation")
    keep: int = option(2, "checkpoints to keep, besides the last one before the decay")

    def __post_init__(self) -> None:
        check_ranges(self)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise BadInput(f"{name} is {getattr(self, name)!r}", do=f"choose {' or '.join(choices)}")
        positive = ("batch", "context", "keep") if self.steps else ("batch", "context", "keep", "minutes")
        for name in positive:
            if getattr(self, name) <= 0:
                raise BadInput(f"{name} is {getattr(self, name)}", do="give a number above zero")
        for name in NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < inf:  # also for not-a-number
                raise BadInput(f"{name} is {getattr(self, name)}", do="give 0 or more")
        if self.width % 64 or (self.width and not self.depth):
            do = "give a multiple of 64, and the depth with it; 0 is 64 x depth"
            raise BadInput(f"width is {self.width}, depth {self.depth}", do=do)
        if not 0 <= self.decay <= 1:
            raise BadInput(f"decay is {self.decay}", do="give a share between 0 and 1")


CHOICES = {
    "optimiser": ("muon", "adamw"),
    "precision": ("bf16", "fp32"),
    "compile": ("auto", "on", "off"),
    "parallel": ("ddp", "fsdp"),
}

NOT_NEGATIVE = (
    *("minutes", "steps", "depth", "width", "rows_at_once", "matrix_rate", "vector_rate", "momentum"),
    *("weight_decay", "clip", "warmup", "sample_tokens", "quick_tokens", "final_tokens"),
)

FREE = (
    "minutes",
    "steps",
    "device",
    "parallel",
    "compile",
    "rows_at_once",
    "keep",
    "prompt",
    "sample_tokens",
)
"""Settings that may change when a run goes on; the others decide what it learns."""


@dataclass(frozen=True)
class Look:
    """The run as it is at one of its checkpoints, for a caller who wants to show something."""

    step: int
    percent: float
    model: Path
    bits_per_byte: float
    dream: str
    """What the prompt became; "" where it was not asked."""


@dataclass(frozen=True)
class PretrainResult:
    """How a run ended."""

    model: Path
    depth: int
    parameters: int
    steps: int
    tokens: int
    epochs: float
    loss: float
    bits_per_byte: float
    seconds: float
    tokens_per_second: float
    mfu: float | None
    """Model-flops utilisation; None where the peak was measured too low, as on a busy machine."""


def pretrain(
    settings: PretrainSettings,
    tokens: Path,
    tokenizer: Path,
    out: Path,
    progress: Progress | None = None,
    on_look: Callable[[Look], None] | None = None,
) -> PretrainResult:
    """Train a base model on RUN/tokens with RUN/tokenizer, into RUN/base; continue what `out` has begun.

    `on_look` is called after each evaluation, when its checkpoint is safely on the disk. Raises BadInput for
    shards, tokenizer or settings that do not fit each other or the run; Failure when training diverges or
    the disk is full, with the last checkpoint intact.
    """
    from nextword.train.base_run import BaseRun  # torch comes with it; settings alone should not need it
    from nextword.train.distributed import Parallel, joined
    from nextword.train.memory import refuse_beyond_memory
    from nextword.train.plan import SHALLOWEST

    began = time.perf_counter()
    finished = out / RESULT
    longer = finished.exists() and _asks_for_more(settings, out)
    if finished.exists() and not longer:
        return read_result(finished)
    with working_in(out), joined(settings.device, cast(Parallel, settings.parallel)) as processes:
        run = BaseRun(settings, tokens, tokenizer, out, processes)
        refuse_beyond_memory(settings, run.config(settings.depth or SHALLOWEST), processes)
        if processes.is_first:
            begin(settings, out, FREE)
        processes.wait()
        bar = progress or Progress(
            "pretrain", unit="tokens", console=Console(stderr=True, quiet=not processes.is_first)
        )
        with bar:
            result = run.train(bar, on_look or (lambda look: None), began, longer)
        if processes.is_first:
            write_json(finished, {**asdict(result), "model": "model"})
        processes.wait()
    return result


def refuse_early(settings: PretrainSettings, vocab_size: int) -> None:
    """BadInput when no machine like this one can train it, before there are tokens or a tokenizer."""
    from nextword.model.config import ModelConfig
    from nextword.train.distributed import Parallel, joined
    from nextword.train.memory import refuse_beyond_memory
    from nextword.train.plan import SHALLOWEST

    depth = settings.depth or SHALLOWEST
    config = ModelConfig.of_depth(depth, vocab_size, settings.context, width=settings.width)
    with joined(settings.device, cast(Parallel, settings.parallel)) as processes:
        refuse_beyond_memory(settings, config, processes)


def read_result(path: Path) -> PretrainResult:
    """A finished run's result.json."""
    found = PretrainResult(**{**read_json(path), "model": path.parent / "model"})
    return found if found.mfu is None or found.mfu <= 1 else replace(found, mfu=None)


def _asks_for_more(settings: PretrainSettings, out: Path) -> bool:
    earlier = read_json(out / "run.json")["settings"]
    if settings.steps:
        return bool(settings.steps > read_json(out / "plan.json")["steps"])
    return not earlier["steps"] and settings.minutes > float(earlier["minutes"])
