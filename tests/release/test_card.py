"""The model card says what the run's own files say, and nothing more."""

import json
from pathlib import Path

import pytest

from nextword.common.files import write_json
from nextword.common.progress import Progress
from nextword.common.records import Document, write_documents
from nextword.release.card import write_card
from nextword.release.parameters import write_parameters
from nextword.release.sources import UNKNOWN, Source, count_sources

PAGES = [
    Document.of(
        "x" * 3000, "http://pydoc.localhost/json.html", package="python", version="3.11", licence="PSF-2.0"
    ),
    Document.of(
        "y" * 1000, "http://pydoc.localhost/rich.html", package="rich", version="15.0", licence="MIT"
    ),
    Document.of("가" * 100, "nextword:///README.ko.md", lang="ko", source="nextword"),
    Document.of("z" * 10, "https://example.com/a|b"),
]


def test_sources_are_counted_by_package_site_and_our_own_pages():
    assert count_sources([*PAGES, PAGES[1]]) == [
        Source("python 3.11", "PSF-2.0", 1, 3000),
        Source("rich 15.0", "MIT", 2, 2000),
        Source("nextword's own pages", "Apache-2.0", 1, 300),
        Source("example.com", UNKNOWN, 1, 10),
    ]


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory) -> Path:
    """A run folder as the stages leave it."""
    run = tmp_path_factory.mktemp("runs") / "docs"
    write_documents(run / "clean" / "train.jsonl.zst", PAGES)
    cleaned = {"pages": 9, "page_bytes": 90_000, "train_documents": 4, "train_bytes": 4310}
    cleaned |= {"own_documents": 2, "own_bytes": 700}
    dropped = [{"step": "near", "documents": 2, "bytes": 1500, "reasons": {}}]
    write_json(run / "clean" / "clean.json", cleaned | {"dropped": dropped})
    split = {"tokens": 1234, "documents": 4, "bytes": 4310, "shards": []}
    write_json(run / "tokens" / "tokens.json", {"splits": {"train": split}})
    write_json(run / "tokenizer" / "tokenizer.report.json", {"bytes_per_token": {"en": 3.21, "ko": 2.5}})
    write_json(run / "base" / "run.json", {"commit": "abc123", "settings": {"depth": 0, "lr": 0.02}})
    write_json(run / "base" / "plan.json", {"depth": 6, "steps": 100, "seconds": None})
    lines = [{"kind": "evaluation", "step": 50, "tokens": 25600, "bits_per_byte": 2.5}]
    lines.append({"kind": "final", "step": 100, "tokens": 51200, "bits_per_byte": 1.875})
    lines.append({"kind": "step", "step": 101, "loss": 2.0})
    (run / "base" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"ki')
    write_json(run / "make.json", {"stages": {"baselines": {"result": {"5-gram": 2.25, "xz -9e": 2.5}}}})
    return run


@pytest.fixture(scope="module")
def card(run, folder) -> str:
    gguf = run / "release" / "docs.gguf"
    written = write_parameters(folder, gguf, "Q8_0", Progress("release"))
    notes = ["3 tensors are F16"]
    return write_card(run / "release" / "README.md", gguf, written.sha256, folder, run, notes).read_text()


def test_front_matter_is_what_a_hub_reads(card):
    front = card.split("---\n")[1]
    assert (
        "library_name: gguf\npipeline_tag: text-generation\nlanguage:\n- en\n- ko\nlicense: other\n" in front
    )


def test_it_names_each_source_with_its_licence(card):
    assert "| rich 15.0 | 1 | 1.0 kB | MIT |" in card
    assert f"| example.com | 1 | 10 bytes | {UNKNOWN} |" in card


def test_it_sets_bits_per_byte_beside_the_baselines(card):
    assert "| this model | 1.875 |\n| 5-gram | 2.250 |\n| xz -9e | 2.500 |" in card


def test_it_tells_steps_tokens_and_hyperparameters(card):
    for row in (
        "| step | 100 |",
        "| tokens | 51,200 |",
        "| depth | 6 |",
        "| lr | 0.02 |",
        "| commit | abc123 |",
    ):
        assert row in card


def test_what_was_not_decided_is_not_told(card):
    assert "None" not in card


@pytest.mark.parametrize(("count", "smaller"), [(25, 0), (26, 0), (27, 2), (40, 15)])
def test_many_sources_end_in_one_line_for_the_smallest_of_them(folder, tmp_path, count, smaller):
    sources = [Document.of("x" * (100 - n), f"https://s{n}.org/") for n in range(count)]
    write_documents(tmp_path / "clean" / "train.jsonl.zst", sources)
    gguf = tmp_path / "tiny.gguf"
    written = write_parameters(folder, gguf, "F32", Progress("release"))
    card = write_card(tmp_path / "README.md", gguf, written.sha256, folder, tmp_path).read_text()
    assert card.count(".org | 1 |") == count - smaller
    assert (f"| {smaller} smaller sources |" in card) == bool(smaller)


def test_a_journal_of_another_shape_gives_no_baselines(folder, tmp_path):
    write_json(tmp_path / "make.json", {"stages": ["baselines"]})
    gguf = tmp_path / "tiny.gguf"
    written = write_parameters(folder, gguf, "F32", Progress("release"))
    assert (
        "Not measured." in write_card(tmp_path / "R.md", gguf, written.sha256, folder, tmp_path).read_text()
    )


def test_it_tells_what_cleaning_dropped(card):
    assert "| dropped: near | 2 | 1.5 kB |" in card and "| nextword's own, added | 2 | 700 bytes |" in card


def test_it_says_how_to_run_the_file_and_what_to_know(card):
    assert './run docs.gguf -p "Once upon a time"' in card
    assert "- Note: 3 tensors are F16." in card


def test_it_has_a_summary_in_korean(card):
    assert "## 한국어 요약" in card and "문서 4건(4.3 kB)" in card and "바이트당 1.875비트" in card


def test_a_checkpoint_without_a_run_says_what_is_not_known(folder, tmp_path):
    written = write_parameters(folder, tmp_path / "tiny.gguf", "F32", Progress("release"))
    path = write_card(tmp_path / "README.md", tmp_path / "tiny.gguf", written.sha256, folder, None)
    assert path.read_text().count("Not recorded: this checkpoint came without its run folder.") == 2
    assert "Not measured." in path.read_text()


def test_a_source_cannot_break_out_of_its_table(folder, run, tmp_path):
    write_documents(tmp_path / "clean" / "train.jsonl.zst", [Document.of("x", "a:b", package="a | b\n# c")])
    gguf = tmp_path / "tiny.gguf"
    written = write_parameters(folder, gguf, "F32", Progress("release"))
    card = write_card(tmp_path / "README.md", gguf, written.sha256, folder, tmp_path).read_text()
    assert "| a \\| b # c | 1 |" in card
