import re
from html.parser import HTMLParser

import pytest

from nextword.common.terminal import size
from nextword.data.archive import ArchiveWriter
from nextword.data.clean import CleanSettings, clean
from nextword.data.clean_report import write_report
from nextword.data.clean_summary import CleanSummary, Dropped, Tally, source

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</pre></details><svg onload=alert(1)>",
    "\"><iframe src='javascript:alert(1)'>",
    "<!--", "]]>", "<style>*{display:none}</style>",
]  # fmt: skip


class Tags(HTMLParser):
    """Every tag and attribute that a browser would see."""

    def __init__(self, page):
        super().__init__()
        self.seen, self.attributes, self.text = set(), set(), ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def summary_with(text):
    return CleanSummary(
        pages=3, page_bytes=9000, text_documents=3, text_bytes=5000,
        own_documents=2, own_bytes=1000,
        dropped=(Dropped("quality", 1, 100, {text: 1}), Dropped("near", 1, 900, {"near duplicate": 1})),
        repeated_bytes=400, repeated_lines=4, unique_bytes=4000, unique_before=0.8, unique_after=0.95,
        train_documents=1, train_bytes=3000, train_own=0,
        heldout_documents=0, heldout_bytes=0, heldout_own=0,
        languages={text: (1, 3000)}, sources={text: (1, 3000)}, encodings={text: 3}, masked={},
        step_seconds={}, seconds=1.5,
    )  # fmt: skip


def report_with(tmp_path, text):
    record = {"url": text, "reason": text, "bytes": 100, "excerpt": text, "twin": text}
    write_report(
        tmp_path / "r.html", summary_with(text), {"quality": [record], "near": [record], "removed": [record]}
    )
    return Tags((tmp_path / "r.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_from_pages_is_shown_not_run(tmp_path, attack):
    plain, attacked = report_with(tmp_path, "plain"), report_with(tmp_path, attack)
    assert attacked.seen == plain.seen and attacked.attributes == plain.attributes
    assert attack in attacked.text


def test_nothing_is_fetched_and_no_script_is_there(tmp_path):
    page = report_with(tmp_path, "plain")
    assert not page.seen & {"script", "link", "img", "iframe"} and not page.attributes & {"src", "href"}


def test_an_attack_in_a_crawled_page_comes_out_escaped(tmp_path):
    with ArchiveWriter(tmp_path / "crawl") as archive:
        for n in range(3):
            words = " ".join(f"w{n}x{k}" for k in range(90))
            page = f"<p>This is the page of {words} and that is all to be said.".encode()
            archive.response(f"http://a.test/{n}", 200, {"Content-Type": "text/html"}, page)
        attack = b"<p>&lt;script&gt;alert(1)&lt;/script&gt; short"
        archive.response("http://a.test/<script>", 200, {"Content-Type": "text/html"}, attack)
    settings = CleanSettings(own_text=False, near_duplicates=False, min_words=20)
    clean(settings, tmp_path / "crawl", tmp_path / "clean")
    page = (tmp_path / "clean" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page


def test_a_share_names_what_it_is_a_share_of(tmp_path):
    page = report_with(tmp_path, "plain").text
    assert page.count("of the text that came in") == 2 and page.count("of the text kept") == 2
    assert "50% of the text that came in" in page  # 3000 of 5000 and our own 1000


def test_shares_of_the_flow_are_of_all_that_came_in(tmp_path):
    page = report_with(tmp_path, "plain").text
    flow = page[page.index("Where the bytes went") : page.index("Repeated lines and paragraphs")]
    assert re.findall(r"−?[\d.]+%", flow) == ["83.3%", "16.7%", "−1.7%", "−15.0%", "−6.7%", "50.0%"]


def test_one_is_not_plural(tmp_path):
    page = report_with(tmp_path, "plain").text
    assert "1 document stayed" in page and not re.search(r"\b1 (documents|pages|lines)\b", page)


def test_sizes_for_people():
    assert [size(n) for n in (0, 999, 1000, 12_345, 999_960, 9_100_000)] == [
        *("0 B", "999 B", "1.0 kB", "12.3 kB", "1.0 MB", "9.1 MB"),
    ]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080/tkinter.ttk.html", "127.0.0.1/tkinter"),
        ("https://docs.test/", "docs.test"),
        ("file:///home/me/papers/a.pdf", "papers"),
        ("nextword:///docs/ko/x.md", "nextword/docs"),
    ],
)
def test_the_source_of_an_address(url, expected):
    assert source(url) == expected


def test_a_tally_of_very_many_names_keeps_the_large_ones(monkeypatch):
    monkeypatch.setattr("nextword.data.clean_summary.MOST_SOURCES", 10)
    tally = Tally()
    for n in range(100):
        tally.add("large", 50)
        tally.add(f"small {n}", 1)
    assert tally.largest(1) == {"large": (100, 5000)} and len(tally.counts) <= 11
