import json
import random

import pytest

from nextword.common.errors import Corrupt
from nextword.data.archive import ArchiveWriter
from nextword.data.blocks import PageReader, PageWriter
from nextword.data.clean import CleanSettings
from nextword.data.clean_stages import stages
from nextword.data.own_text import own_documents
from nextword.data.pipeline import Stage, processes, run_stage

WORDS = (
    "the",
    "of",
    "and",
    "to",
    "that",
    "have",
    "with",
    "be",
    "in",
    "it",
    "for",
    "not",
    "they",
    "we",
    "say",
    "her",
)
SETTINGS = CleanSettings(own_text=False)
NOTICE = "<p>Every one of these pages ends with the very same words, which nobody needs to read twice.</p>"


def crawl(folder, pages=24):
    """Pages of random words with a common last paragraph; every sixth is a copy of the first."""
    with ArchiveWriter(folder) as archive:
        for number in range(pages):
            draw = random.Random(0 if number % 6 == 0 else number)
            said = " ".join(draw.choice(WORDS) + str(draw.randrange(30)) for _ in range(90))
            body = f"<p>{said} and this is the page of {' '.join(WORDS[:4])}.</p>{NOTICE}".encode()
            archive.response(f"http://a.test/{number}", 200, {"Content-Type": "text/html"}, body)
    return folder


def run_all(crawl, work, tasks, slices, workers=1, settings=SETTINGS):
    with processes(workers) as pool:
        for stage in stages(settings, crawl, work, tasks, slices):
            run_stage(stage, pool)
    return lines_of(work)


def lines_of(work):
    return sorted(line for path in (work / "kept").rglob("*.jsonl") for line in path.read_text().splitlines())


def test_four_tasks_keep_as_much_as_one(tmp_path):
    folder = crawl(tmp_path / "crawl")
    one = run_all(folder, tmp_path / "one", tasks=1, slices=1)
    four = run_all(folder, tmp_path / "four", tasks=4, slices=4)
    assert len(one) == len(four) == 21
    assert sum("twice" in line for line in one) == sum("twice" in line for line in four) == 1


def test_more_tasks_than_pages_leave_some_empty(tmp_path):
    folder = crawl(tmp_path / "crawl", pages=3)
    assert len(run_all(folder, tmp_path / "work", tasks=8, slices=8)) == 3


def test_of_two_copies_the_crawls_stays_whatever_task_has_it(tmp_path):
    with ArchiveWriter(tmp_path / "crawl") as archive:
        for document in own_documents():
            archive.resource(f"file:///{document.id}.md", "text/markdown", document.text.encode())
    lines = run_all(tmp_path / "crawl", tmp_path / "work", 3, 3, settings=CleanSettings())
    assert {json.loads(line)["own"] for line in lines} == {False}


@pytest.mark.slow
def test_processes_give_the_same_documents_as_one(tmp_path):
    folder = crawl(tmp_path / "crawl")
    alone = run_all(folder, tmp_path / "one", tasks=4, slices=4)
    assert run_all(folder, tmp_path / "two", tasks=4, slices=4, workers=2) == alone


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the executor's own
def test_datatroves_local_executor_gives_the_same_documents(tmp_path):
    from datatrove.executor.local import LocalPipelineExecutor

    folder = crawl(tmp_path / "crawl")
    for number, stage in enumerate(stages(SETTINGS, folder, tmp_path / "theirs", 4, 4)):
        logs = str(tmp_path / "logs" / str(number))
        LocalPipelineExecutor(stage.steps, tasks=stage.tasks, workers=2, logging_dir=logs).run()
    assert lines_of(tmp_path / "theirs") == run_all(folder, tmp_path / "ours", tasks=4, slices=4)


def test_counters_of_all_tasks_are_added(tmp_path):
    stage = stages(SETTINGS, crawl(tmp_path / "crawl"), tmp_path / "work", 3, 3)[0]
    seen = []
    totals = run_stage(stage, tick=seen.append)
    assert totals["archive"]["pages"] == 24 == sum(seen)
    assert totals["language"]["total"] == 24


def test_datatrove_says_nothing(tmp_path, capfd, caplog):
    run_all(crawl(tmp_path / "crawl", pages=4), tmp_path / "work", 2, 2)
    captured = capfd.readouterr()
    assert captured.out == captured.err == "" and not caplog.records


@pytest.mark.slow
def test_damage_found_by_a_worker_is_named_in_one_line(tmp_path):
    folder = crawl(tmp_path / "crawl")
    (segment,) = folder.glob("*.warc.gz")
    segment.write_bytes(segment.read_bytes()[:-300])
    with pytest.raises(Corrupt, match=segment.name):
        run_all(folder, tmp_path / "work", tasks=2, slices=2, workers=2)


def test_an_error_in_a_step_comes_through_as_it_is(tmp_path):
    def broken(data, rank, world_size):
        raise ZeroDivisionError

    class Broken(PageReader):
        run = staticmethod(broken)

    with pytest.raises(ZeroDivisionError):
        run_stage(Stage("broken", [Broken(tmp_path), PageWriter(tmp_path)], 1))
