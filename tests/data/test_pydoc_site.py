"""The documentation of this Python as a site: really served, really crawled, whatever a module does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nextword.common.errors import BadInput, Failure
from nextword.data.child import Child
from nextword.data.crawl import Limits
from nextword.data.pydoc_server import is_served
from nextword.data.pydoc_site import Shelf, crawl_pydoc, library, shelves


def visit(*shelves: Shelf, archived=None, **options):
    limits = Limits(max_pages=options.pop("max_pages", 100))
    return list(crawl_pydoc(shelves, limits, archived or {}, **{"servers": 1, **options}))


def names(pages) -> list[str]:
    return [page.url.removeprefix("http://pydoc.localhost/") for page in pages]


def documents(pages) -> list[str]:
    return names(page for page in pages if page.is_document)


def test_a_package_is_crawled_by_its_links():
    pages = visit(Shelf("json", frozenset({"json"}), "2.0.9", "PSF-2.0"))
    assert documents(pages) == [
        "index.html",
        "json.html",
        "json.decoder.html",
        "json.encoder.html",
        "json.scanner.html",
        "json.tool.html",
    ]
    page = next(page for page in pages if page.url.endswith("decoder.html"))
    assert b"JSONDecoder" in page.body
    assert (page.content_type, page.charset, page.status) == ("text/html", "utf-8", 200)
    assert (page.meta["package"], page.meta["version"], page.meta["licence"]) == ("json", "2.0.9", "PSF-2.0")


def test_two_servers_side_by_side_give_the_same_pages():
    parts = [Shelf(name, frozenset({name})) for name in ("json", "html", "wsgiref")]
    assert sorted(documents(visit(*parts, servers=2))) == sorted(documents(visit(*parts)))


def test_a_package_has_a_limit_of_pages():
    assert documents(visit(Shelf("json", frozenset({"json"})), max_pages=2))[1:] == [
        "json.html",
        "json.decoder.html",
    ]


def test_an_earlier_run_is_not_repeated():
    shelf = Shelf("json", frozenset({"json"}))
    whole = visit(shelf)
    by_shelf = {"python": whole[:3], "json": whole[3:5]}
    assert names(visit(shelf, archived=by_shelf)) == names(whole[5:])


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A shelf of modules of the test's own: name and source."""

    def write(**sources: str) -> Shelf:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)
        return Shelf("mine", frozenset(sources))

    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return write


def test_a_module_that_hangs_dies_exits_or_talks_costs_only_its_own_page(mine):
    shelf = mine(
        a_dies="import os; os._exit(3)",
        b_exits="raise SystemExit(3)",
        c_hangs="while True: pass",
        d_talks="print('hello' * 10000); input_ = open(0).read()",
        e_kills="import signal; signal.raise_signal(signal.SIGSEGV)",
        f_fine="'''A quiet module.'''",
    )
    pages = visit(shelf, page_seconds=4.0)
    assert documents(pages) == ["index.html", "d_talks.html", "f_fine.html"]
    failed = {page.url.rsplit("/")[-1]: page.meta["failure"] for page in pages if "failure" in page.meta}
    assert sorted(failed) == ["a_dies.html", "c_hangs.html", "e_kills.html"]
    assert "time" in failed["c_hangs.html"] or "within 4 s" in failed["c_hangs.html"]
    assert "ended the server" in failed["a_dies.html"]
    assert [page.url.rsplit("/")[-1] for page in pages if page.meta.get("skip") == "error page"] == [
        "b_exits.html"
    ]


def test_the_server_has_no_display(mine, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    shelf = mine(
        seen="import os; __doc__ = 'screens:' + '+'.join(n for n in os.environ if 'DISPLAY' in n) + ':end'"
    )
    (page,) = [page for page in visit(shelf) if page.url.endswith("seen.html")]
    assert b"screens::end" in page.body


def test_a_module_is_imported_once(mine, tmp_path):
    count = tmp_path / "count"
    shelf = mine(
        counted=f"'''Counts.'''\nopen({str(count)!r}, 'a').write('x')", user="'''Uses.'''\nimport counted"
    )
    visit(shelf)
    assert count.read_text() == "x"


def test_a_module_that_is_refused_is_not_even_imported(mine, tmp_path):
    trace = tmp_path / "trace"
    shelf = mine(antigravity=f"open({str(trace)!r}, 'w')")
    assert documents(visit(shelf)) == ["index.html"]
    assert not trace.exists()


@pytest.mark.parametrize(
    "module",
    ["antigravity", "this", "idlelib.idle", "turtledemo", "_abc", "json.__main__", "numpy.tests.a", "a._b.c"],
)
def test_modules_with_side_effects_or_without_a_reader_are_refused(module):
    assert not is_served(module)


@pytest.mark.parametrize(
    "module", ["json", "__future__", "thisway", "unittest", "numpy.testing_tools", "tkinter"]
)
def test_ordinary_modules_are_served(module):
    assert is_served(module)


def test_the_library_covers_modules_and_topics_but_no_package():
    covers = library().site().covers
    assert covers("http://pydoc.localhost/json.tool.html")
    assert covers("http://pydoc.localhost/topic?key=FLOAT")
    assert not covers("http://pydoc.localhost/numpy.html")
    assert not covers("http://pydoc.localhost/antigravity.html")
    assert not covers("http://elsewhere.localhost/json.html")


def test_the_default_shelves_are_what_we_depend_on_with_version_and_licence():
    found = {shelf.name.lower(): shelf for shelf in shelves()}
    assert {"python", "torch", "numpy", "rich", "python-docx"} <= found.keys()
    assert "pytest" not in found
    assert found["python-docx"].modules == {"docx"}
    assert found["rich"].licence == "MIT"
    assert found["numpy"].version[0].isdigit()


def test_packages_are_chosen_by_distribution_or_by_import_name():
    assert [shelf.name for shelf in shelves(["docx", "rich"])][1:] == ["rich", "python-docx"]
    assert [shelf.name for shelf in shelves(["none"])] == ["python"]


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(BadInput, match="no-such-package"):
        shelves(["no-such-package"])


# The child itself

ORPHAN = """
import os, time
from nextword.data.child import Child
child = Child("nextword.data.pydoc_server")
child.line(60)
print(child._process.pid, flush=True)
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state != "Z"  # a zombie awaiting its new parent has ended
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_the_server_dies_with_us_even_by_kill_9():
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    assert is_running(server)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 20
    while is_running(server) and time.monotonic() < until:
        time.sleep(0.02)
    assert not is_running(server)


def test_closing_the_crawl_early_ends_its_servers():
    pages = crawl_pydoc([library()], Limits(), {}, servers=2)
    next(pages)
    pages.close()
    children = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True
    )
    assert "pydoc_server" not in children.stdout


def test_a_child_that_ends_or_says_nothing_is_a_failure():
    with Child("nextword.data.no_such_module") as child, pytest.raises(Failure, match="ended early"):
        child.line(20)
    with Child("nextword.data.pydoc_server") as child:
        child.line(60)
        with pytest.raises(Failure, match="took over"):
            child.line(0.1)
