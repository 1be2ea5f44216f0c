"""What a run tells about itself: one JSON object a line, and the loss curve drawn from it.

`metrics.jsonl` holds three kinds of lines: {"kind": "step", step, loss, ...} after every step,
{"kind": "evaluation", step, bits_per_byte, ...} after every look at a few held-out documents, and at the end
{"kind": "final", ...} for all of them. It is only appended to; a resumed run first drops the lines that its
checkpoint does not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nextword.common.errors import Corrupt, Failure
from nextword.common.files import write_text, written_atomically


class Metrics:
    """The lines of one run. Steps are counted from 1: the number of steps taken."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, kind: str, step: int, **values: Any) -> None:
        """Add a line; Failure when the disk is full."""
        line = json.dumps({"kind": kind, "step": step, **values}) + "\n"
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise Failure(
                f"cannot be written ({error.strerror})",
                where=self.path,
                do="free some space and run the same command: it continues from the last checkpoint",
            ) from error

    def lines(self, kind: str | None = None) -> Iterator[dict[str, Any]]:
        """Every line (of a kind). A last line cut short by a crash is left out; any other is Corrupt."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    record = json.loads(line)
                except ValueError as error:
                    if not line.endswith("\n"):
                        return
                    raise Corrupt(f"line {number} is not JSON", where=self.path) from error
                if kind is None or record.get("kind") == kind:
                    yield record

    def truncate(self, step: int) -> None:
        """Forget everything after a step."""
        kept = [json.dumps(line) for line in self.lines() if line["step"] <= step]
        write_text(self.path, "".join(line + "\n" for line in kept))


HELD_OUT = {"bits_per_byte": "held-out bits per byte", "heldout_loss": "held-out loss (nats a token)"}
"""What an evaluation's line may hold, and what the curve calls it."""


def draw_loss(metrics: Metrics, path: Path, title: str = "Learning to predict the next word") -> None:
    """Draw the loss and what was held out over tokens into a PNG. Needs matplotlib, so imported here."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps, evaluations = list(metrics.lines("step")), list(metrics.lines("evaluation"))
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    tokens = [line["tokens"] / 1e6 for line in steps]
    losses = [line["loss"] for line in steps]
    axes.plot(tokens, losses, color="#9db4d0", linewidth=0.8, label="each step")
    axes.plot(tokens, _smoothed(losses), color="#1f4e8c", linewidth=1.8, label="smoothed")
    axes.set_xlabel("tokens trained on (millions)")
    axes.set_ylabel("loss (nats a token)", color="#1f4e8c")
    shown = next((name for name in HELD_OUT if evaluations and name in evaluations[0]), None)
    if shown:
        right = axes.twinx()
        right.plot(
            [line["tokens"] / 1e6 for line in evaluations],
            [line[shown] for line in evaluations],
            color="#c2571a",
            marker="o",
            markersize=4,
            linewidth=1.2,
        )
        right.set_ylabel(HELD_OUT[shown], color="#c2571a")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="upper right")
    axes.set_title(title)
    with written_atomically(path) as file:
        figure.savefig(file, format="png")


def _smoothed(values: list[float]) -> list[float]:
    """An exponential mean over about a fiftieth of the run, corrected for its start as Adam's is."""
    keep = 1 - 1 / max(1, len(values) / 50)
    mean, weight, smooth = 0.0, 0.0, []
    for value in values:
        mean, weight = keep * mean + (1 - keep) * value, keep * weight + (1 - keep)
        smooth.append(mean / weight)
    return smooth
