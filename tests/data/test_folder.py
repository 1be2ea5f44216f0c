"""Folders and files of the user: every format, and nothing that can stop the rest."""

import gzip
import json
import lzma
import os
import signal
import socket
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from nextword.common.errors import BadInput
from nextword.data.archive import ArchiveWriter, Page
from nextword.data.extract import Extractor, Unreadable
from nextword.data.folder import read_folder
from tests.data.office_files import docx, hwpx, pdf

TEXT = "다음 낱말을 맞히는 신경망.\n"


def read(source: Path, **options) -> dict[str, Page]:
    return {page.meta["path"]: page for page in read_folder(source, **options)}


def failures(source: Path, **options) -> dict[str, str]:
    found = read(source, **options)
    return {path: page.meta["failure"] for path, page in found.items() if "failure" in page.meta}


def texts(source: Path) -> dict[str, str]:
    return {path: page.body.decode() for path, page in read(source).items() if page.is_document}


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.txt", "text/plain"), ("a.MD", "text/markdown"), ("a.html", "text/html"), ("README", "text/plain")],
)
def test_text_is_kept_as_it_is(tmp_path, name, content_type):
    (tmp_path / name).write_bytes(TEXT.encode("cp949"))
    page = read(tmp_path)[name]
    assert (page.body, page.content_type, page.charset) == (TEXT.encode("cp949"), content_type, "")
    assert page.url == (tmp_path / name).as_uri()


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress), (".zst", zstandard.compress)]
)
def test_a_packed_file_is_unpacked(tmp_path, suffix, pack):
    (tmp_path / f"a.txt{suffix}").write_bytes(pack(TEXT.encode()))
    line = json.dumps({"text": TEXT}).encode() + b"\n"
    (tmp_path / f"b.jsonl{suffix}").write_bytes(pack(line) + pack(line))  # two frames, as `cat` makes
    (tmp_path / f"c.pdf{suffix}").write_bytes(pack(pdf("Hello")))
    assert texts(tmp_path) == {
        f"a.txt{suffix}": TEXT,
        f"b.jsonl{suffix}#1": TEXT,
        f"b.jsonl{suffix}#2": TEXT,
        f"c.pdf{suffix}": "Hello",
    }


def test_a_pdf_gives_its_pages(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf("First page", "Second page"))
    page = read(tmp_path)["a.pdf"]
    assert page.body.decode() == "First page\n\nSecond page"
    assert (page.content_type, page.charset, page.meta["format"]) == ("text/plain", "utf-8", "pdf")


def test_a_word_document_gives_paragraphs_and_tables_in_order(tmp_path):
    docx(tmp_path / "a.docx", "첫째", "둘째")
    page = read(tmp_path)["a.docx"]
    assert page.body.decode() == "첫째\n둘째\n왼쪽\t오른쪽\n끝"
    assert page.meta["title"] == "제목"


def test_a_hangul_document_gives_its_text(tmp_path):
    hwpx(tmp_path / "a.hwpx", "첫째 문단", "둘째 문단")
    assert texts(tmp_path)["a.hwpx"] == "첫째 문단\n둘째 문단"


def test_paragraphs_of_office_files_are_parted_and_headings_stay_with_them(tmp_path):
    lines = ("이용료", "방은 하루 9원입니다.", "열쇠는 그냥 드립니다.")
    docx(tmp_path / "a.docx", *lines)
    hwpx(tmp_path / "b.hwpx", *lines)
    said = "이용료\n방은 하루 9원입니다.\n\n열쇠는 그냥 드립니다."
    assert texts(tmp_path) == {"a.docx": f"{said}\n\n왼쪽\t오른쪽\n끝", "b.hwpx": said}


@pytest.mark.parametrize("field", ["text", "content", "body"])
def test_records_give_their_text_address_and_title(tmp_path, field):
    record = {field: TEXT, "url": "http://a.example/1", "title": "t", "lang": "ko", "other": [1]}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n\n" + json.dumps({field: "second"}) + "\n")
    found = read(tmp_path)
    first, second = found["a.jsonl#1"], found["a.jsonl#3"]
    assert (first.url, first.body.decode()) == ("http://a.example/1", TEXT)
    assert (first.meta["title"], first.meta["lang"]) == ("t", "ko")
    assert second.url == (tmp_path / "a.jsonl").as_uri() + "#3"


def test_parquet_gives_its_rows(tmp_path):
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"content": ["하나", None, "셋"], "url": ["http://a.example/1", "x", None]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert texts(tmp_path) == {"a.parquet#1": "하나", "a.parquet#3": "셋"}
    assert list(failures(tmp_path)) == ["a.parquet#2"]


def test_the_pages_of_a_warc_keep_address_headers_and_date(tmp_path):
    with ArchiveWriter(tmp_path) as archive:
        archive.write(
            Page(
                "http://a.example/",
                "2020-01-02T03:04:05Z",
                "",
                "",
                b"hi",
                200,
                {},
                {"content-type": "text/html"},
            )
        )
        archive.response("http://a.example/gone", 404, {"content-type": "text/html"}, b"no")
    (tmp_path / "pages-00000.warc.gz").rename(tmp_path / "a.warc.gz")
    found = read(tmp_path / "a.warc.gz")
    page = found["a.warc.gz#1"]
    assert (page.url, page.body, page.fetched[:10]) == ("http://a.example/", b"hi", "2020-01-02")
    assert found["a.warc.gz#2"].meta["skip"] == "HTTP 404"


def test_files_come_in_the_order_of_their_names_at_any_depth(tmp_path):
    for name in ("b/2.txt", "b/1.txt", "a.txt", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert list(texts(tmp_path)) == ["a.txt", "b/1.txt", "b/2.txt", "c.txt"]


def test_hidden_files_and_links_are_left_alone(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / ".hidden.txt").write_text("hidden")
    (inside / "link.txt").symlink_to(outside / "secret.txt")
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    (inside / "a.txt").write_text("a")
    assert texts(inside) == {"a.txt": "a"}


def test_what_is_no_regular_file_is_named_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        place = os.open(tmp_path, os.O_RDONLY)  # the path of a socket must be short
        server.bind(f"/proc/self/fd/{place}/socket.txt")
        os.close(place)
    (tmp_path / "link.txt").symlink_to(tmp_path / "gone.txt")
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    (tmp_path / "a.txt").write_text("a")
    found = {name: page.meta.get("failure", "") for name, page in read(tmp_path).items()}
    assert list(found) == ["a.txt", "link.txt", "loop.txt", "pipe.txt", "socket.txt"]
    assert found["pipe.txt"] == found["socket.txt"] == "is no regular file (a pipe, a socket or a device)"
    assert found["link.txt"] == found["loop.txt"] == "is a link that leads nowhere"


def test_other_formats_are_counted_by_suffix(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    assert read(tmp_path)["a.png"].meta["skip"] == ".png is not a format we read"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.txt", b"\x7fELF\0\0\0", "binary"),
        ("a.txt", b"", "no text"),
        ("a.txt", b" \n ", "no text"),
        ("a.txt.gz", b"not gzip", "gzip"),
        ("a.txt.gz", gzip.compress(b"x" * 99, mtime=0)[:-9], "end"),
        ("a.txt.xz", lzma.compress(b"x" * 99)[:-9], "end"),
        ("a.txt.xz", b"not xz", "unpacked"),
        ("a.txt.zst", b"not zstd", "unpacked"),
        ("a.txt.zst", zstandard.compress(b"abc" * 99)[:-5], "ends inside"),
        ("a.pdf", b"not a pdf", ""),
        ("a.pdf", pdf("text")[:200], ""),
        ("a.pdf", b"", "empty"),
        ("a.docx", b"not a zip", "zip"),
        ("a.hwpx", b"not a zip", "zip"),
        ("a.hwp", b"not ole", ""),
        ("a.parquet", b"not parquet", ""),
        ("a.warc.gz", gzip.compress(b"no warc", mtime=0), "not a WARC"),
        ("a.jsonl", b"\xff\xfe\0", "not JSON"),
        ("a.jsonl", b'["list"]', "not a JSON object"),
        ("a.jsonl", b'{"title": "no text"}', "has no `text`"),
        ("a.jsonl", b"[" * 100_000, "not JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path, name, content, why):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "z.txt").write_text("here")
    found = failures(tmp_path)
    ((place, said),) = found.items()
    assert place.split("#")[0] == name
    assert said
    assert why in said
    assert "\n" not in said
    assert texts(tmp_path) == {"z.txt": "here"}


def test_utf_16_text_is_not_taken_for_binary(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT.encode("utf-16"))
    assert read(tmp_path)["a.txt"].is_document


def test_a_file_without_right_to_read_is_named(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("x")
    path.chmod(0)
    try:
        path.read_text()
    except PermissionError:
        assert "ermission" in failures(tmp_path)["a.txt"]
    else:
        assert texts(tmp_path) == {"a.txt": "x"}  # root reads everything


def test_a_document_over_the_limit_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x" * (2 << 20))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(bytes(3 << 20)))
    (tmp_path / "c.jsonl").write_text(json.dumps({"text": "x" * (2 << 20)}))
    assert all("larger than 1 MiB" in why for why in failures(tmp_path, max_bytes=1 << 20).values())
    assert len(failures(tmp_path, max_bytes=1 << 20)) == 3


def test_a_zip_bomb_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("word/document.xml", bytes(20 << 20))
    assert "unpacks to over 1 MiB" in failures(tmp_path, max_bytes=1 << 20)["a.docx"]


def test_a_document_that_takes_too_long_costs_only_itself(tmp_path):
    (tmp_path / "b.pdf").write_bytes(pdf("Hello"))
    with Extractor() as extractor:
        assert extractor(tmp_path / "b.pdf").text == "Hello"
        extractor.seconds = 0.1
        os.kill(extractor._child._process.pid, signal.SIGSTOP)  # now it takes for ever
        with pytest.raises(Unreadable, match="took over"):
            extractor(tmp_path / "b.pdf")
        extractor.seconds = 60.0
        assert extractor(tmp_path / "b.pdf").text == "Hello"


def test_a_file_of_junk_records_is_given_up(tmp_path):
    (tmp_path / "a.jsonl").write_text("junk\n" * 1000 + json.dumps({"text": "late"}) + "\n")
    found = failures(tmp_path)
    assert len(found) == 21
    assert "the rest is left" in found["a.jsonl"]


def test_a_chosen_file_may_have_any_name(tmp_path):
    (tmp_path / "notes.log").write_text("text")
    assert texts(tmp_path / "notes.log") == {"notes.log": "text"}


def test_a_source_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(BadInput, match="no such"):
        list(read_folder(tmp_path / "none"))


@given(
    st.binary(max_size=200),
    st.sampled_from([".txt", ".jsonl", ".txt.gz", ".jsonl.zst", ".txt.xz", ".parquet", ".warc"]),
)
def test_any_bytes_under_any_name_are_a_page_or_a_named_failure(tmp_path_factory, content, suffix):
    folder = tmp_path_factory.mktemp("any")
    (folder / f"a{suffix}").write_bytes(content)
    for page in read_folder(folder):
        assert page.is_document or page.meta["failure"]
