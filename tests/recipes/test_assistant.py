"""The second half of a make, for pages of any kind."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.common.records import Document, write_documents
from nextword.data.archive import ArchiveWriter, Page
from nextword.data.own_text import ADDRESS
from nextword.data.questions import read_questions
from nextword.recipes.assistant import AssistantStages
from nextword.recipes.make import MakeSettings, Run
from tests.recipes.builder_world import KOREAN, fee, hours


def quiet() -> Console:
    return Console(file=io.StringIO())


def stages(folder: Path, has_facts: bool = False) -> AssistantStages:
    def progress(title: str, unit: str) -> Progress:
        return Progress(title, unit=unit, console=quiet())

    return AssistantStages(folder, "house", 30.0, 0, progress, has_facts)


@pytest.mark.parametrize(("source", "third"), [("house", "seed"), ("python-docs", "tokenizer")])
def test_pages_that_only_may_be_asked_about_are_asked_before_any_training(tmp_path, source, third):
    settings = MakeSettings(source=source, out=str(tmp_path / "run"), assistant=True)
    assert [name for name, _ in Run(settings, quiet()).stages()][2] == third


def test_a_crawled_site_becomes_the_seed_folder(tmp_path):
    """What a server answered with an error, and what is no page, is not asked about."""
    lines = [line(1, n) for n in range(len(KOREAN)) for line in (fee, hours)]
    html = "".join(f"<p>{line}</p>" for line in lines)
    with ArchiveWriter(tmp_path / "crawl") as archive:
        body = f"<title>이용 안내</title><h1>이용 안내</h1>{html}".encode()
        kind = {"content-type": "text/html; charset=utf-8"}
        archive.write(Page("http://house.test/", "2026-11-23T00:00:00Z", "", "", body, 200, {}, kind))
        archive.response("http://house.test/gone", 404, kind, html.replace("1층", "9층").encode())
    ((name, seed),) = stages(tmp_path).early()
    made = seed()
    assert (name, made["approved"], made["by"]) == ("seed", 12, {"rule:verbatim": 12})
    held = list(read_questions(tmp_path / "seed" / "questions.heldout.jsonl"))
    assert len(held) == 4 and {one.url for one in held} == {"http://house.test/"}
    assert {one.title for one in held} == {"이용 안내"} and "9층" not in " ".join(one.text for one in held)


def test_pages_without_anything_to_ask_about_end_the_make_there(tmp_path):
    with ArchiveWriter(tmp_path / "crawl") as archive:
        archive.write(Page("http://a.test/", "2026-11-23T00:00:00Z", "", "", b"<p>Hello.</p>", 200, {}, {}))
    ((_, seed),) = stages(tmp_path).early()
    with pytest.raises(BadInput, match="nothing to ask about in 1 documents"):
        seed()


@pytest.mark.parametrize(("has_facts", "count"), [(False, 1), (True, 2)])
def test_questions_about_other_people_s_pages_are_not_answered_from_ours(tmp_path, has_facts, count):
    pages = [Document.of("The pool opens at nine.", "http://house.test/"), Document.of("We.", ADDRESS + "a")]
    write_documents(tmp_path / "clean" / "train.jsonl.zst", pages)
    write_documents(tmp_path / "clean" / "heldout.jsonl.zst", [])
    index = dict(stages(tmp_path, has_facts).stages())["index"]
    assert index() == {"pages": count}


def test_without_comparisons_nothing_is_aligned(tmp_path):
    done = dict(stages(tmp_path).stages())
    assert done["reward"]() is None and done["align"]() is None
    assert not (tmp_path / "aligned").exists()
