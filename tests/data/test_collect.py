"""Collect, from the outside: a source goes in, an archive and its summary come out, whatever happens."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.data.archive import pages
from nextword.data.collect import MOST_PAGE_MB, CollectSettings, collect
from nextword.data.warc import MAX_RECORD_BYTES

LOCAL = {"allow_private": True, "tries": 1}


def links(*targets: str) -> str:
    return "<title>" + " ".join(targets) + "</title>" + "".join(f'<a href="{to}">{to}</a>' for to in targets)


def chain(web, count: int) -> None:
    web.pages |= {"/": links("/0")} | {f"/{n}": links(f"/{n + 1}") for n in range(count - 1)}


def paths(out: Path) -> list[str]:
    return ["/" + page.url.split("/", 3)[3] for page in pages(out)]


def test_a_site_becomes_an_archive_and_a_summary(web, tmp_path):
    web.pages |= {"/": links("/a", "/gone"), "/a": "<title>A</title>a"}
    summary = collect(CollectSettings(web.url, **LOCAL), tmp_path)
    assert paths(tmp_path) == ["/", "/a"]
    assert (summary.pages, summary.skipped, summary.failed, summary.is_cut) == (2, {"HTTP 404": 1}, 0, False)
    said = json.loads((tmp_path / "collect.json").read_text())
    assert (said["pages"], said["settings"]["source"]) == (2, web.url)
    assert "2 pages" in str(summary)


def test_there_is_no_pause_on_this_machine(web, tmp_path):
    chain(web, 5)
    begun = time.monotonic()
    collect(CollectSettings(web.url, **LOCAL, delay=100.0), tmp_path)
    assert len(web.visited()) == 6  # the last link leads nowhere
    assert time.monotonic() - begun < 100


def test_a_private_address_is_refused_with_the_flag_to_use(web, tmp_path):
    web.pages["/"] = "secret"
    with pytest.raises(BadInput, match="--allow-private"):
        collect(CollectSettings(web.url), tmp_path)
    assert web.asked == []


def test_a_finished_collection_is_not_repeated(web, tmp_path):
    chain(web, 3)
    first = collect(CollectSettings(web.url, **LOCAL), tmp_path)
    web.asked.clear()
    assert collect(CollectSettings(web.url, **LOCAL), tmp_path) == first
    assert web.asked == []


def test_a_higher_limit_goes_on_from_where_the_lower_stopped(web, tmp_path):
    chain(web, 6)
    assert collect(CollectSettings(web.url, **LOCAL, max_pages=2), tmp_path).is_cut
    web.asked.clear()
    assert collect(CollectSettings(web.url, **LOCAL), tmp_path).pages == 6
    assert web.asked == ["/1", "/2", "/3", "/4", "/5"]
    assert paths(tmp_path) == ["/", "/0", "/1", "/2", "/3", "/4"]


def test_another_source_in_the_same_folder_is_refused(web, tmp_path):
    web.pages |= {"/": "a", "/b": "b"}
    collect(CollectSettings(web.url, **LOCAL), tmp_path)
    with pytest.raises(BadInput, match="another"):
        collect(CollectSettings(web.url + "/b", **LOCAL), tmp_path)
    assert paths(tmp_path) == ["/"]


def test_a_site_that_cannot_be_reached_is_one_clear_line(tmp_path):
    with pytest.raises(BadInput, match=r"127\.0\.0\.1:1.*cannot be reached"):
        collect(CollectSettings("http://127.0.0.1:1/", **LOCAL), tmp_path)


def test_a_source_that_gave_nothing_leaves_the_folder_to_another(web, tmp_path):
    out = tmp_path / "out"
    for _ in range(2):
        with pytest.raises(BadInput, match="cannot be reached"):
            collect(CollectSettings("http://127.0.0.1:1/", **LOCAL), out)
        assert not out.exists()
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="cannot be reached"):
        collect(CollectSettings("http://127.0.0.1:1/", **LOCAL), out)
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    web.pages["/"] = "hi"
    assert collect(CollectSettings(web.url, **LOCAL), out).pages == 1


def test_a_failure_after_a_page_has_come_keeps_the_folder(web, tmp_path):
    chain(web, 2)
    web.pages["/1"] = links(*(f"/bad{n}" for n in range(20)))
    web.pages |= {f"/bad{n}": (lambda handler: None) for n in range(20)}
    with pytest.raises(Failure, match="stopped answering"):
        collect(CollectSettings(web.url, **LOCAL), tmp_path)
    with pytest.raises(BadInput, match="holds another collection"):
        collect(CollectSettings(web.url + "/0", **LOCAL), tmp_path)


def test_a_site_whose_robots_forbid_everything_says_so(web, tmp_path):
    web.pages["/robots.txt"] = (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /")
    web.pages["/"] = "hi"
    with pytest.raises(BadInput, match=r"robots\.txt forbids"):
        collect(CollectSettings(web.url, **LOCAL), tmp_path)


def test_an_address_we_cannot_fetch_is_one_clear_line(tmp_path):
    with pytest.raises(BadInput, match="not an address"):
        collect(CollectSettings("http://user:secret@example.org/"), tmp_path)


def test_a_folder_becomes_an_archive(tmp_path):
    source = tmp_path / "docs"
    source.mkdir()
    (source / "a.txt").write_text("하나")
    (source / "b.jsonl").write_text('{"text": "둘"}\n')
    (source / "c.pdf").write_text("broken")
    (source / "d.png").write_text("picture")
    summary = collect(CollectSettings(str(source)), tmp_path / "out")
    assert [page.body.decode() for page in pages(tmp_path / "out")] == ["하나", "둘"]
    assert summary.skipped == {".png is not a format we read": 1}
    assert list(summary.failures) == ["c.pdf"]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.bin", b"\0\1\2", "not a format"),
        ("a.txt", b"\0\1\2", "binary"),
        ("a.pdf", b"nothing", "a.pdf"),
        ("a.txt", b"", "no text"),
    ],
)
def test_a_folder_without_text_is_one_clear_line(tmp_path, name, content, why):
    source = tmp_path / "docs"
    source.mkdir()
    (source / name).write_bytes(content)
    with pytest.raises(BadInput, match=why):
        collect(CollectSettings(str(source)), tmp_path / "out")
    (source / "later.txt").write_text("now there is some")
    assert collect(CollectSettings(str(source)), tmp_path / "out").pages == 1


def test_an_empty_folder_and_a_binary_file_are_clear_lines(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no document"):
        collect(CollectSettings(str(tmp_path / "empty")), tmp_path / "out")
    (tmp_path / "program").write_bytes(b"\x7fELF\0\0")
    with pytest.raises(BadInput, match="binary"):
        collect(CollectSettings(str(tmp_path / "program")), tmp_path / "out2")


def test_a_source_that_is_not_there_leaves_no_folder_behind(tmp_path):
    with pytest.raises(BadInput, match="no such source"):
        collect(CollectSettings(str(tmp_path / "none")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match=r"pipe: is no regular file .*; give a folder or a file"):
        collect(CollectSettings(str(tmp_path / "pipe")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("out", [".", "crawl", "deep/run/crawl"])
def test_nothing_is_written_among_the_documents(tmp_path, out):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(BadInput, match=r"lies in the source .*; choose another --out"):
        collect(CollectSettings(str(tmp_path)), tmp_path / out)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("out", ["a.txt", "a.txt/crawl", "/proc/nope"])
def test_a_place_that_cannot_be_a_folder_says_what_to_do(tmp_path, out):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises((BadInput, Failure), match="choose another folder"):
        collect(CollectSettings(str(tmp_path / "a.txt")), tmp_path / out)


def test_the_terminal_names_a_few_failures_and_where_the_others_are(tmp_path):
    source = tmp_path / "docs"
    source.mkdir()
    (source / "good.txt").write_text("text")
    for number in range(6):
        (source / f"{number}.txt").write_text("")
    summary = collect(CollectSettings(str(source)), tmp_path / "out")
    said = summary.told(tmp_path / "out" / "collect.json")
    assert said.startswith("1 pages, 4 B, from") and "6 failed, such as:" in said and "5.txt" not in said
    assert said.endswith(f"all are in {tmp_path / 'out' / 'collect.json'}")
    summary.failures.popitem()
    summary.failed = 5
    assert summary.told(Path("collect.json")) == str(summary)


def test_a_folder_goes_on_without_keeping_a_document_twice(tmp_path):
    source = tmp_path / "docs"
    source.mkdir()
    for number in range(6):
        (source / f"{number}.txt").write_text(f"text {number}")
    collect(CollectSettings(str(source), max_pages=3), tmp_path / "out")
    summary = collect(CollectSettings(str(source)), tmp_path / "out")
    assert [page.body.decode() for page in pages(tmp_path / "out")] == [f"text {n}" for n in range(6)]
    assert summary.pages == 6


def test_the_time_limit_keeps_what_came(tmp_path):
    source = tmp_path / "docs"
    source.mkdir()
    for number in range(6):
        (source / f"{number}.txt").write_text(f"text {number}")
    ticks = iter(range(100))
    summary = collect(
        CollectSettings(str(source), time_limit=4.0), tmp_path / "out", clock=lambda: float(next(ticks))
    )
    assert 0 < summary.pages < 6
    assert summary.is_cut
    assert len(paths(tmp_path / "out")) == summary.pages


def test_a_limit_too_short_for_a_single_page_says_so(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    ticks = iter(range(100))
    settings = CollectSettings(str(tmp_path / "a.txt"), time_limit=0.5)
    with pytest.raises(BadInput, match="gave no text in time; allow it more time"):
        collect(settings, tmp_path / "out", clock=lambda: float(next(ticks)))


def test_a_damaged_summary_or_archive_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    settings = CollectSettings(str(tmp_path / "a.txt"))
    out = tmp_path / "out"
    collect(settings, out)
    (out / "collect.json").write_text("[]")
    with pytest.raises(Corrupt, match=r"collect\.json"):
        collect(settings, out)
    (out / "collect.json").unlink()
    segment = out / "pages-00000.warc.gz"
    segment.write_bytes(segment.read_bytes()[:-20])
    with pytest.raises(Corrupt, match=r"pages-00000\.warc\.gz"):
        collect(settings, out)


def test_a_site_that_falls_silent_keeps_what_came_and_goes_on_later(web, tmp_path):
    chain(web, 3)
    web.pages["/2"] = links(*(f"/bad{n}" for n in range(20)))
    bad = {f"/bad{n}": (lambda handler: None) for n in range(20)}
    web.pages |= bad
    with pytest.raises(Failure, match="stopped answering"):
        collect(CollectSettings(web.url, **LOCAL), tmp_path)
    web.pages |= dict.fromkeys(bad, "good")
    web.asked.clear()
    summary = collect(CollectSettings(web.url, **LOCAL), tmp_path)
    assert (summary.pages, summary.failed) == (24, 0)
    assert "/0" not in web.asked


def test_the_documentation_of_this_python_is_collected(tmp_path):
    summary = collect(CollectSettings(packages=("none",), max_pages=12), tmp_path)
    assert summary.pages == 12
    assert summary.parts["python"]["pages"] == 12
    assert summary.parts["python"]["licence"] == "PSF-2.0"
    assert all(page.url.startswith("http://pydoc.localhost/") for page in pages(tmp_path))


COLLECT = """
import sys
from pathlib import Path
from nextword.data.collect import MOST_PAGE_MB, CollectSettings, collect
collect(CollectSettings(sys.argv[1], allow_private=True, tries=1), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_crawl_goes_on_without_asking_again(web, tmp_path, sign):
    allowed = 8

    def slow(handler):
        while len(set(web.visited())) > allowed + 3:  # the rest waits until the crawl has been killed
            time.sleep(0.01)
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>page")

    web.pages |= {f"/{n}": slow for n in range(39)} | {"/": links(*(f"/{n}" for n in range(39)))}
    arguments = [sys.executable, "-c", COLLECT, web.url, str(tmp_path)]
    for wanted in (8, 20, 30):
        allowed = wanted
        kept = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
        crawl = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
        signal.signal(signal.SIGINT, kept)
        until = time.monotonic() + 60
        while len(set(web.visited())) < wanted and time.monotonic() < until:
            time.sleep(0.002)
        os.kill(crawl.pid, sign)
        crawl.wait(timeout=60)
        assert not (tmp_path / "collect.json").exists()
    allowed = 40
    summary = collect(CollectSettings(web.url, **LOCAL), tmp_path)
    assert summary.pages == 40
    assert paths(tmp_path) == ["/", *(f"/{n}" for n in range(39))]
    assert len(web.visited()) <= 41 + 3  # each kill may lose the one page on its way


def test_the_largest_page_fits_a_record():
    assert MOST_PAGE_MB * 8 * 2**20 < MAX_RECORD_BYTES


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_pages": -1},
        {"max_pages": 0},
        {"max_depth": -1},
        {"max_page_mb": 0.0},
        {"max_page_mb": MOST_PAGE_MB + 1.0},
        {"time_limit": -1.0},
        {"time_limit": math.nan},
        {"timeout": math.nan},
        {"timeout": 1e300},
        {"delay": -0.5},
        {"tries": 0},
        {"servers": 0},
    ],
)
def test_numbers_out_of_range_are_named(wrong):
    (name,) = wrong
    with pytest.raises(BadInput, match=f"^{name} is .*; give "):
        CollectSettings(**wrong)
