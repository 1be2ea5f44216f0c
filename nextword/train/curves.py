"""Curves of a run's metrics, side by side, as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nextword.common.files import written_atomically
from nextword.train.metrics import Metrics

BLUE, PALE, ORANGE = "#1f4e8c", "#9db4d0", "#c2571a"
SHOWN = {"stopped": "answers that ended", "clipped": "tokens clipped", "dropped": "groups dropped"}
"""What the legend calls metrics whose name alone does not say of what they are shares."""


@dataclass(frozen=True)
class Panel:
    """One small plot: metrics of steps as lines, of evaluations as dots, under a title."""

    title: str
    steps: tuple[str, ...] = ()
    evaluations: tuple[str, ...] = ()


def draw_curves(metrics: Metrics, panels: Sequence[Panel], path: Path, title: str) -> None:
    """Draw the panels that have anything to show, three in a row. Needs matplotlib, so imported here."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = {"step": list(metrics.lines("step")), "evaluation": list(metrics.lines("evaluation"))}
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows + 0.3), dpi=100)  # a layout engine would draw all twice
    figure.subplots_adjust(0.16 / columns, 0.18 / rows, 1 - 0.06 / columns, 1 - 0.3 / rows, 0.25, 0.5)
    FigureCanvasAgg(figure)
    for number, panel in enumerate(panels, 1):
        axes = figure.add_subplot(rows, columns, number)
        named = [("step", name) for name in panel.steps]
        named += [("evaluation", name) for name in panel.evaluations]
        for (kind, name), colour in zip(named, (BLUE, ORANGE, PALE), strict=False):
            points = [(line["step"], line[name]) for line in lines[kind] if line.get(name) is not None]
            marker = "o" if kind == "evaluation" or len(points) < 3 else None
            shown = SHOWN.get(name, name.replace("_", " "))
            shown = f"held-out {shown}" if kind == "evaluation" else shown
            axes.plot(
                *zip(*points, strict=True) if points else ([], []),
                color=colour,
                marker=marker,
                markersize=3,
                linewidth=1.2,
                label=shown,
            )
        axes.set_title(panel.title, fontsize=10)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=7)
    figure.suptitle(title, fontsize=11)
    with written_atomically(path) as file:
        figure.savefig(file, format="png")
