"""The curves of a run: every panel drawn, and every line named by what it is."""

from __future__ import annotations

import pytest

from nextword.train.curves import Panel, draw_curves
from nextword.train.metrics import Metrics


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """The titles and legends of the figure that was drawn, and its file."""
    from matplotlib.figure import Figure

    kept, save = [], Figure.savefig

    def keep(self, *given, **named):
        for axes in self.axes:
            kept.append((axes.get_title(), [text.get_text() for text in axes.get_legend().get_texts()]))
        save(self, *given, **named)

    monkeypatch.setattr(Figure, "savefig", keep)
    metrics = Metrics(tmp_path / "metrics.jsonl")
    for step in (1, 2, 3):
        metrics.append("step", step, loss=1 / step, stopped=0.5, clipped=0.1, chosen_logprob=-3.0, kl=None)
    metrics.append("evaluation", 3, loss=0.4)
    panels = [
        Panel("Loss", ("loss",), ("loss",)),
        Panel("Shares", ("clipped", "stopped")),
        Panel("Log-probability", ("chosen_logprob",)),
        Panel("KL", ("kl",)),
    ]
    draw_curves(metrics, panels, tmp_path / "curves.png", "A title")
    return kept, tmp_path / "curves.png"


def test_every_panel_is_drawn_and_its_lines_say_what_they_are(drawn):
    kept, path = drawn
    assert path.read_bytes().startswith(b"\x89PNG")
    assert kept == [
        ("Loss", ["loss", "held-out loss"]),
        ("Shares", ["tokens clipped", "answers that ended"]),
        ("Log-probability", ["chosen logprob"]),
        ("KL", ["kl"]),
    ]
