from __future__ import annotations

import pytest

from nextword.common.errors import Corrupt
from nextword.train.metrics import Metrics, draw_loss


@pytest.fixture
def metrics(tmp_path):
    metrics = Metrics(tmp_path / "metrics.jsonl")
    for step in range(1, 6):
        metrics.append("step", step, loss=5.0 / step, tokens=100 * step)
    metrics.append("evaluation", 5, bits_per_byte=2.0, tokens=500)
    return metrics


def test_lines_come_back_by_kind(metrics):
    assert [line["step"] for line in metrics.lines("step")] == [1, 2, 3, 4, 5]
    assert [line["bits_per_byte"] for line in metrics.lines("evaluation")] == [2.0]


def test_truncating_forgets_what_came_after_a_step(metrics):
    metrics.truncate(3)
    assert [line["step"] for line in metrics.lines()] == [1, 2, 3]


def test_a_last_line_cut_by_a_crash_is_left_out_and_then_dropped(metrics):
    with metrics.path.open("a") as file:
        file.write('{"kind": "step", "st')
    assert len(list(metrics.lines("step"))) == 5
    metrics.truncate(4)
    metrics.append("step", 5, loss=1.0, tokens=500)
    assert [line["step"] for line in metrics.lines()] == [1, 2, 3, 4, 5]


def test_a_damaged_line_is_named(metrics):
    lines = metrics.path.read_text().splitlines()
    metrics.path.write_text("\n".join([lines[0], "{oops", *lines[2:]]) + "\n")
    with pytest.raises(Corrupt, match="line 2 is not JSON"):
        list(metrics.lines())


def test_the_curve_is_a_png(metrics, tmp_path):
    draw_loss(metrics, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
