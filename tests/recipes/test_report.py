"""The report's figures read as a person would write them."""

import re
from pathlib import Path

import pytest

from nextword.common.files import write_json, write_text
from nextword.recipes.journal import Journal
from nextword.recipes.report import write_report

PRETRAINED = {
    "parameters": 2_114_880,
    "depth": 3,
    "tokens": 3_919_872,
    "epochs": 1.19,
    "bits_per_byte": 1.413,
    "seconds": 392.4,
    "tokens_per_second": 11293.1,
}
FACTS = {
    "prompt": "Return the",
    "next_words": [(" value", 0.5), ("\n", 0.25)],
    "page": None,
    "speed": {"prefill": 43680.0, "generate": 12795.1},
    "files": [{"name": "docs.gguf", "bytes": 1000}],
    "train_bytes": 4000,
}


@pytest.fixture
def report(tmp_path: Path) -> str:
    stages = {
        "collect": {"seconds": 29.3, "result": {}},
        "release": {"seconds": 0.2, "result": {}},
        "baselines": {"seconds": 4, "result": {"xz -9e": 1.462}},
        "pretrain": {"seconds": 392.4, "result": PRETRAINED},
    }
    write_json(tmp_path / "make.json", {"settings": {"source": "docs"}, "stages": stages})
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "loss.png").write_bytes(b"png")
    sample = '{"percent": 1, "prompt": "Return the", "text": " <b>"}\n'
    write_text(tmp_path / "base" / "samples.jsonl", sample)
    path = tmp_path / "report.html"
    write_report(path, tmp_path, Journal(tmp_path, {"source": "docs"}), FACTS)
    return path.read_text(encoding="utf-8")


def test_speeds_and_seconds_are_whole_numbers(report: str) -> None:
    for figure in ("43,680", "12,795", ">30<", ">393<"):
        assert figure in report
    assert not re.search(r"\d\.000<", report)


def test_a_stage_shorter_than_a_second_took_one(report: str) -> None:
    assert "<td>release</td><td class=number>1</td>" in report


def test_the_models_are_sorted_by_bits_per_byte(report: str) -> None:
    assert report.index("1.462") < report.index(">1.413<")


def test_what_a_model_said_is_text_and_not_html(report: str) -> None:
    assert "Return the &lt;b&gt;" in report
