"""What a run shows of itself along the way: a model to use, its bits per byte, a prompt dreamed on, a curve.

The loop trains, and when a look is due it calls `write_model` for the checkpoint and `look` once that is safe
on the disk. So nothing here can cost more than itself: a look may take long, crash or be killed, and the run
goes on from the checkpoint before it and looks again.

Two evaluations, because they answer different questions. Along the way a few documents, in windows laid end
to end, so each token is read once: cheap, and good for a curve. At the end the figure to report: all
documents (or as many as were allowed), in windows that overlap by half, so that a token is scored with at
least half a context before it, as far as its document goes back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from nextword import engine
from nextword.common.files import folder_written_atomically
from nextword.common.terminal import printable
from nextword.evaluate.bits_per_byte import bits_per_byte
from nextword.model.checkpoint import OURS, save_checkpoint
from nextword.model.llama import Llama
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.checkpoints import Checkpoints
from nextword.train.distributed import Processes, whole_model
from nextword.train.metrics import Metrics, draw_loss
from nextword.train.pretrain import Look, PretrainSettings
from nextword.train.samples import dream, keep_sample


@dataclass(frozen=True)
class Looks:
    """Shows a model of run folder `out`: to files there, to `say`, and to `on_look`.

    `marks` are the steps, besides the last, after which the prompt is dreamed on, and their percent. Every
    process calls `write_model` and `look`; only the first one writes and speaks.
    """

    settings: PretrainSettings
    model: Llama
    tokenizer: Tokenizer
    held_out: Shards
    out: Path
    metrics: Metrics
    checkpoints: Checkpoints
    processes: Processes
    marks: Mapping[int, int]
    say: Callable[[str], None]
    on_look: Callable[[Look], None]

    def write_model(self, folder: Path) -> None:
        """Write the model as it is now, with its tokenizer, as a checkpoint folder."""
        whole = whole_model(self.model, self.processes)
        if self.processes.is_first:
            save_checkpoint(whole, folder, self.tokenizer.where.parent)

    def look(self, step: int, steps: int) -> None:
        """Evaluate, dream, draw. The checkpoint of this step is on the disk already."""
        whole = whole_model(self.model, self.processes)
        if self.processes.is_first:
            replace_folder(self.out / "model", self.checkpoints.path(step) / "model")
            value = self._evaluated(whole, step)
            if step == steps:
                value = self._evaluated_finally(whole, step)
            percent = 100 if step == steps else self.marks.get(step)
            text = ""
            if percent is not None:
                text = self._dreamt(whole, step, percent)
                draw_loss(self.metrics, self.out / "loss.png")
            self.on_look(Look(step, 100 * step / steps, self.out / "model", value, text))
        self.processes.wait()

    def last_seconds(self, tokens_per_second: float) -> float:
        """What the last evaluation will take: half a trained token's time, but windows overlap by half."""
        return min(self.settings.final_tokens, self.held_out.tokens) / (tokens_per_second or 1)

    def _evaluated(self, model: Llama, step: int) -> float:
        context = self.settings.context
        return self._scored(model, step, "evaluation", self.settings.quick_tokens, stride=context)

    def _evaluated_finally(self, model: Llama, step: int) -> float:
        return self._scored(model, step, "final", self.settings.final_tokens, stride=None)

    def _scored(self, model: Llama, step: int, kind: str, tokens: int, stride: int | None) -> float:
        settings = self.settings
        found = bits_per_byte(
            model,
            self.held_out,
            settings.context,
            device=self.processes.device,
            stride=stride,
            max_tokens=tokens,
            autocast=torch.bfloat16 if settings.precision == "bf16" else None,
        )
        trained = step * settings.batch * settings.context
        self.metrics.append(kind, step, tokens=trained, bits_per_byte=found.value, bytes=found.bytes)
        return found.value

    def _dreamt(self, model: Llama, step: int, percent: int) -> str:
        settings = self.settings
        reader = engine.wrap(model, self.tokenizer)
        text = dream(reader, settings.prompt, settings.sample_tokens, settings.seed)
        keep_sample(self.out / "samples.jsonl", step, percent, settings.prompt, text)
        self.say(printable(f"after {percent} %: {settings.prompt}{text}"))
        return text


def replace_folder(folder: Path, source: Path, ours: Sequence[str] = OURS) -> None:
    """Make `folder` a copy of `source`, atomically and, where the disk can link, without copying.

    `ours`: the names that such a folder may hold (see `check_replaceable`).
    """
    with folder_written_atomically(folder, ours) as part:
        for file in source.iterdir():
            try:
                os.link(file, part / file.name)
            except OSError:
                shutil.copyfile(file, part / file.name)
