"""`nextword index`: a run's pages, or a file's, made searchable."""

from __future__ import annotations

import pytest

from nextword.cli.main import run
from nextword.common.records import Document, write_documents
from nextword.tools.search import Index

OVEN = Document.of("oven\n\nbake(dough)\n    Bake the dough.\n", "http://a/oven.html")
TIN = Document.of("tin\n\ngrease(butter)\n    Grease the tin.\n", "http://a/tin.html")
LAMP = Document.of("lamp\n\nlight()\n    Light the lamp.\n", "http://a/lamp.html")


@pytest.fixture
def folder(tmp_path):
    """A run folder with two pages that have been indexed."""
    write_documents(tmp_path / "run" / "clean" / "train.jsonl.zst", [OVEN, TIN])
    assert run(["index", str(tmp_path / "run")]) == 0
    return tmp_path / "run"


def urls(index):
    with Index.open(index) as opened:
        hits = [opened.search(question, 1) for question in ("bake", "grease", "light")]
    return {hit.url for found in hits for hit in found}


def test_a_page_that_has_gone_from_a_run_is_forgotten(folder, capsys):
    write_documents(folder / "clean" / "train.jsonl.zst", [OVEN])
    write_documents(folder / "clean" / "heldout.jsonl.zst", [LAMP])
    capsys.readouterr()
    assert run(["index", str(folder)]) == 0
    assert "search.db: 2 pages" in capsys.readouterr().out.replace("\n", "")
    assert urls(folder / "search.db") == {OVEN.url, LAMP.url}


def test_a_folder_that_was_moved_with_its_index_is_still_the_same(folder):
    moved = folder.rename(folder.with_name("moved"))
    write_documents(moved / "clean" / "train.jsonl.zst", [TIN])
    assert run(["index", str(moved)]) == 0
    assert urls(moved / "search.db") == {TIN.url}


def test_a_file_adds_to_an_index_and_a_second_run_does_too(folder, tmp_path):
    write_documents(tmp_path / "more.jsonl", [LAMP])
    assert run(["index", str(tmp_path / "more.jsonl"), "--out", str(folder / "search.db")]) == 0
    write_documents(tmp_path / "other" / "clean" / "train.jsonl", [Document.of("x", "http://b/")])
    assert run(["index", str(tmp_path / "other"), "--out", str(folder / "search.db")]) == 0
    assert urls(folder / "search.db") == {OVEN.url, TIN.url, LAMP.url}


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ('{"text": "x", "url": null}', "more.jsonl: the `url` of record 1 is not a string"),
        ('{"text": "x", "meta": null}', "more.jsonl: the `meta` of record 1 is not an object"),
        (r'{"text": "\ud800"}', "more.jsonl: the `text` of record 1 holds half a character"),
        ("[" * 100_000, "more.jsonl: damaged at or after line 1"),
    ],
)
def test_a_record_that_is_none_is_one_line(tmp_path, capsys, record, says):
    (tmp_path / "more.jsonl").write_text(record + "\n")
    assert run(["index", str(tmp_path / "more.jsonl")]) == 2
    assert says in capsys.readouterr().err
