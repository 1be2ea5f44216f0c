"""Finetuning: the same network and the same loss, but on answers that people wrote (alignment).

    OUT/run.json          settings, commit, versions, data     plan.json     steps and schedule
    OUT/metrics.jsonl     every step, every look               loss.png      the same, drawn
    OUT/samples.jsonl     one question, answered along the way result.json   how it ended
    OUT/checkpoints/      the last few, to resume from         model/        the newest, to use

What differs from pretraining is the text: conversations, of which only what the assistant must say is learnt
(its stop token included), packed into rows in which each conversation sees only itself. A small share of
plain text may be replayed (`replay`), against forgetting (McCloskey and Cohen 1989; Ibrahim et al. 2024).

With `lora` only an adapter learns, beside weights that stay as they are, in 4 bits if `four_bit` says so.
Then OUT/adapter/ is the adapter as PEFT has it, checkpoints hold no more than that, and model/ is the base
with the adapter merged in.

The same call continues an interrupted run and returns the result of a finished one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.files import write_json
from nextword.common.progress import Progress
from nextword.common.settings import check_ranges, option
from nextword.train.run_folder import RESULT, finished, inputs
from nextword.train.stage_settings import FREE


@dataclass(frozen=True)
class FinetuneSettings:
    """How to finetune. `epochs` says how long, unless `minutes` or `steps` do."""

    epochs: float = option(3.0, "times that every conversation is seen", least=0)
    minutes: float = option(0.0, "time to train for, looks and saving included; 0 counts epochs", least=0)
    steps: int = option(0, "steps to train for; 0 counts epochs or minutes", least=0)
    batch: int = option(8, "rows of a step, over all processes together", least=1)
    context: int = option(0, "tokens of a row; 0 is the model's own context, 2,048 at most", least=0)
    rows_at_once: int = option(
        0, "rows a process computes at once, gradients adding up; 0 is all of them", least=0
    )
    replay: float = option(
        0.0, "share of the rows that is plain text of pretraining (--tokens)", least=0, most=1
    )
    optimiser: str = option("muon", "muon (AdamW for embeddings, head and norms) or adamw")
    matrix_rate: float = option(0.005, "learning rate of hidden matrices (muon)", least=0)
    vector_rate: float = option(0.0015, "learning rate of everything else (AdamW)", least=0)
    momentum: float = option(0.95, "momentum of muon", least=0)
    weight_decay: float = option(0.0, "decoupled weight decay of hidden matrices", least=0)
    clip: float = option(1.0, "largest norm of the gradient; 0 does not clip", least=0)
    warmup: int = option(10, "steps in which the rate rises", least=0)
    decay: float = option(0.8, "share of the run in which the rate falls to zero", least=0, most=1)
    lora: int = option(
        0,
        "train a LoRA adapter of this rank in place of the whole model; alone: 16; 0: all of it",
        least=0,
        bare=16,
    )
    lora_alpha: float = option(32.0, "the adapter's change counts alpha / rank times", above=0)
    lora_targets: tuple[str, ...] = option(
        (), "linear layers to adapt, such as q_proj; none given: all seven of each layer"
    )
    lora_rate: float = option(
        0.0, "learning rate of the adapter (always AdamW); 0 goes by the model's width", least=0
    )
    lora_dropout: float = option(0.0, "share of the adapter's inputs that is dropped", least=0, most=0.9)
    four_bit: bool = option(False, "hold the frozen weights in 4 bits (QLoRA); needs lora")
    precision: str = option("bf16", "bf16 (weights stay fp32) or fp32")
    device: str = option("auto", "auto, cpu, cuda or mps")
    parallel: str = option("ddp", "under torchrun: ddp (a copy each) or fsdp (slices)")
    keep: int = option(2, "checkpoints to keep", least=1)
    seed: int = option(0, "of the order of the conversations")
    template: str = option(
        "", "chat template: nextword, llama-2, llama-3, chatml or a Jinja file; empty takes the model's own"
    )
    prompt: str = option("What does json.dumps do?", "the question that is answered along the way")
    sample_tokens: int = option(64, "tokens of each of these answers, at most", least=0)

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise BadInput(f"{name} is {getattr(self, name)!r}", do=f"choose {' or '.join(choices)}")
        check_ranges(self)
        if not (self.epochs or self.minutes or self.steps):
            raise BadInput("epochs, minutes and steps are all 0", do="say how long to train")
        if self.four_bit and not self.lora:
            raise BadInput("weights in 4 bits cannot learn", do="train an adapter beside them: --lora 16")
        for name in () if self.lora else OF_LORA:
            given, usual = getattr(self, name), getattr(type(self), name)
            if given != usual and (given or usual):  # a record of a run says [] for ()
                raise BadInput(f"{name} is given, but no adapter is trained", do="give --lora 16 too")


OF_LORA = ("lora_alpha", "lora_targets", "lora_rate", "lora_dropout")
CHOICES = {"optimiser": ("muon", "adamw"), "precision": ("bf16", "fp32"), "parallel": ("ddp", "fsdp")}


@dataclass(frozen=True)
class FinetuneData:
    """The files of a finetuning: conversations, those held out, and plain text to replay (RUN/tokens)."""

    train: tuple[Path, ...]
    heldout: tuple[Path, ...] = ()
    tokens: Path | None = None


@dataclass(frozen=True)
class FinetuneResult:
    """How a finetuning ended. Losses are nats a learnt token; held-out ones None without held-out data."""

    model: Path
    conversations: int
    left_out: dict[str, int]
    steps: int
    epochs: float
    loss: float
    heldout_before: float | None
    heldout_after: float | None
    seconds: float


@dataclass(frozen=True)
class Answered:
    """The run as it is at one of its looks, for a caller who wants to show something."""

    step: int
    percent: float
    model: Path
    heldout_loss: float | None
    answer: str


def finetune(
    settings: FinetuneSettings,
    base: Path,
    data: FinetuneData,
    out: Path,
    progress: Progress | None = None,
    on_look: Callable[[Answered], None] | None = None,
) -> FinetuneResult:
    """Teach the model of folder `base` to answer as the conversations do, into folder `out`.

    Raises BadInput for conversations, a template or settings that cannot be trained with, and for a folder
    whose run learnt from others; Failure when training diverges or the disk is full, with the last checkpoint
    intact.
    """
    from nextword.train.distributed import Parallel, joined
    from nextword.train.finetune_run import FinetuneRun

    began = time.perf_counter()
    done = finished(FinetuneResult, settings, out, FREE, **facts_of(base, data))
    if done is not None:
        return done
    with joined(settings.device, cast(Parallel, settings.parallel)) as processes:
        quiet = Console(stderr=True, quiet=not processes.is_first)
        bar = progress or Progress("finetune", unit="tokens", console=quiet)
        run = FinetuneRun(settings, base, data, out, processes)
        with bar:
            result = run.train(bar, on_look or (lambda look: None), began)
        if processes.is_first:
            write_json(out / RESULT, {**asdict(result), "model": "model"})
        processes.wait()
    return result


def facts_of(base: Path, data: FinetuneData) -> dict[str, Any]:
    """What run.json says of all that is read: its names, and a hash of its content."""
    tokens = [data.tokens] if data.tokens else []
    return {
        "base": str(base),
        "data": [str(path) for path in data.train],
        "heldout": [str(path) for path in data.heldout],
        "tokens": [str(path) for path in tokens],
        **inputs(base=engine.model_folder(base), data=data.train, heldout=data.heldout, tokens=tokens),
    }
