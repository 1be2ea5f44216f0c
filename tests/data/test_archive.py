"""The archive: what was written comes back, whatever happened to the writer; a damaged file is named."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.data.archive import ArchiveWriter, Page, pages, responses
from nextword.data.warc import is_warc, read_warc

HTML = {"content-type": "text/html; charset=EUC-KR"}


def filled(folder: Path, count: int = 3, **options) -> Path:
    with ArchiveWriter(folder, **options) as archive:
        for number in range(count):
            archive.response(f"http://a.example/{number}", 200, HTML, f"page {number}".encode() * 20)
    return folder


def addresses(folder: Path) -> list[str]:
    return [page.url for page in pages(folder)]


def test_a_response_comes_back_with_its_headers_charset_and_notes(tmp_path):
    with ArchiveWriter(tmp_path) as archive:
        archive.response("http://a.example/", 200, HTML, b"hi\r\n\r\nthere", title="다음 낱말", depth="2")
    (page,) = pages(tmp_path)
    assert (page.url, page.body, page.status) == ("http://a.example/", b"hi\r\n\r\nthere", 200)
    assert (page.content_type, page.charset) == ("text/html", "euc-kr")
    assert page.meta == {"title": "다음 낱말", "depth": "2"}
    assert page.fetched.startswith("20")


def test_a_document_of_a_file_comes_back(tmp_path):
    with ArchiveWriter(tmp_path) as archive:
        archive.resource("file:///a/b.pdf", "text/plain; charset=utf-8", "본문".encode(), path="b.pdf")
    (page,) = pages(tmp_path)
    assert (page.content_type, page.charset, page.body.decode()) == ("text/plain", "utf-8", "본문")


def test_a_page_keeps_the_date_it_was_fetched(tmp_path):
    with ArchiveWriter(tmp_path) as archive:
        archive.write(Page("file:///x", "2020-01-02T03:04:05Z", "text/plain", "", b"x"))
    assert next(pages(tmp_path)).fetched.startswith("2020-01-02T03:04:05")


@pytest.mark.parametrize(
    ("status", "notes"), [(404, {}), (301, {}), (200, {"skip": "error page"}), (200, {"failure": "too slow"})]
)
def test_only_documents_are_pages_but_everything_is_a_response(tmp_path, status, notes):
    with ArchiveWriter(tmp_path) as archive:
        archive.write(Page("http://a.example/no", "", "", "", b"", status, notes, HTML))
        archive.response("http://a.example/yes", 200, HTML, b"yes")
    assert addresses(tmp_path) == ["http://a.example/yes"]
    assert [page.url for page in responses(tmp_path)] == ["http://a.example/no", "http://a.example/yes"]


@given(
    body=st.binary(max_size=300),
    title=st.text(max_size=40),
    url=st.from_regex(r"http://[a-z]{1,5}\.example/[a-z0-9%?=&]{0,20}", fullmatch=True),
)
def test_any_body_and_any_note_survive(tmp_path_factory, body, title, url):
    folder = tmp_path_factory.mktemp("archive")
    with ArchiveWriter(folder) as archive:
        archive.response(url, 200, HTML, body, title=title)
    (page,) = pages(folder)
    assert (page.url, page.body) == (url, body)
    expected = " ".join(title.split()).encode("utf-8", "replace").decode()
    assert page.meta.get("title", "") == expected


def test_segments_are_numbered_when_one_is_full(tmp_path):
    filled(tmp_path, 5, segment_bytes=500)
    assert len(sorted(tmp_path.glob("pages-*.warc.gz"))) > 1
    assert addresses(tmp_path) == [f"http://a.example/{n}" for n in range(5)]


def test_a_missing_segment_is_named(tmp_path):
    filled(tmp_path, 5, segment_bytes=500)
    (tmp_path / "pages-00001.warc.gz").unlink()
    with pytest.raises(Corrupt, match=r"pages-00001\.warc\.gz"):
        list(pages(tmp_path))


def test_a_folder_without_a_crawl_says_what_to_do(tmp_path):
    with pytest.raises(BadInput, match="nextword collect"):
        list(pages(tmp_path))


@pytest.fixture(scope="module")
def segment(tmp_path_factory) -> bytes:
    return (filled(tmp_path_factory.mktemp("whole")) / "pages-00000.warc.gz").read_bytes()


def outcome(folder: Path, data: bytes):
    path = folder / "pages-00000.warc.gz"
    path.write_bytes(data)
    got = []
    try:
        got += [(page.url, page.body) for page in pages(folder)]
    except Corrupt as error:
        assert "pages-00000.warc.gz" in str(error)
        assert "byte" in str(error)
        return got, True
    return got, False


RIGHT = [(f"http://a.example/{n}", f"page {n}".encode() * 20) for n in range(3)]


@given(data=st.data())
def test_a_flipped_bit_gives_an_error_with_the_place_or_the_right_pages(tmp_path_factory, segment, data):
    at = data.draw(st.integers(0, len(segment) - 1))
    changed = bytearray(segment)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    got, is_corrupt = outcome(tmp_path_factory.mktemp("flip"), bytes(changed))
    assert got == RIGHT[: len(got)]
    assert is_corrupt or got == RIGHT


@given(data=st.data())
def test_a_truncated_segment_is_always_noticed(tmp_path_factory, segment, data):
    cut = data.draw(st.integers(0, len(segment) - 1))
    got, is_corrupt = outcome(tmp_path_factory.mktemp("cut"), segment[:cut])
    assert got == RIGHT[: len(got)]
    assert is_corrupt


def test_a_segment_cut_between_two_records_is_noticed(tmp_path, segment):
    ends = [at for at in range(1, len(segment)) if segment[at : at + 3] == b"\x1f\x8b\x08"]
    assert ends
    for end in ends:
        _, is_corrupt = outcome(tmp_path, segment[:end])
        assert is_corrupt


@given(junk=st.binary(min_size=1, max_size=200))
def test_junk_after_the_end_is_noticed(tmp_path_factory, segment, junk):
    _, is_corrupt = outcome(tmp_path_factory.mktemp("junk"), segment + junk)
    assert is_corrupt


def interrupted(folder: Path) -> Path:
    with pytest.raises(KeyboardInterrupt), ArchiveWriter(folder) as archive:
        for number in range(3):
            archive.response(f"http://a.example/{number}", 200, HTML, b"x" * 50)
        raise KeyboardInterrupt
    (part,) = folder.glob("*.part")
    return part


def test_an_interrupted_writer_leaves_no_finished_segment(tmp_path):
    interrupted(tmp_path)
    with pytest.raises(BadInput):
        list(pages(tmp_path))


@given(lost=st.integers(0, 1000))
def test_the_next_writer_keeps_the_whole_records_and_goes_on(tmp_path_factory, lost):
    folder = tmp_path_factory.mktemp("resume")
    part = interrupted(folder)
    data = part.read_bytes()
    part.write_bytes(data[: max(len(data) - lost, 0)])
    with ArchiveWriter(folder) as archive:
        kept = [page.url for page in archive.so_far()]
        archive.response("http://a.example/new", 200, HTML, b"new")
    assert kept == [f"http://a.example/{n}" for n in range(len(kept))]
    assert len(kept) == 3 or lost > 0
    assert addresses(folder) == [*kept, "http://a.example/new"]


def test_a_second_writer_in_the_same_folder_is_refused(tmp_path):
    with ArchiveWriter(tmp_path), pytest.raises(BadInput, match="another collect"), ArchiveWriter(tmp_path):
        pass


def test_a_folder_with_another_source_is_refused_and_left_alone(tmp_path):
    filled(tmp_path, origin={"source": "python-docs"})
    with pytest.raises(BadInput, match="python-docs"), ArchiveWriter(tmp_path, {"source": "elsewhere"}):
        pass
    assert len(addresses(tmp_path)) == 3


FULL_DISK = """
import resource, sys
from pathlib import Path
from nextword.common.errors import Failure
from nextword.data.archive import ArchiveWriter
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    with ArchiveWriter(folder) as archive:
        for number in range(100):
            archive.response(f"http://a.example/{number}", 200, {"content-type": "text/html"}, b"x" * number)
except Failure as error:
    print(error)
    sys.exit(2)
"""


def test_a_full_disk_is_one_clear_line_and_what_was_written_stays(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stderr) == (2, "")
    assert "cannot be written" in run.stdout
    with ArchiveWriter(tmp_path) as archive:
        kept = [page.url for page in archive.so_far()]
    assert kept
    assert addresses(tmp_path) == kept == [f"http://a.example/{n}" for n in range(len(kept))]


def test_a_folder_that_cannot_be_made_is_a_failure(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Failure, match="cannot be written"), ArchiveWriter(tmp_path / "file" / "crawl"):
        pass


# Someone else's WARC


def foreign(*blocks: tuple[str, bytes]) -> bytes:
    records = []
    for number, (kind, block) in enumerate(blocks):
        content = "application/http; msgtype=response" if kind == "response" else "text/plain"
        records.append(
            f"WARC/1.0\r\nWARC-Type: {kind}\r\n"
            f"WARC-Record-ID: <urn:uuid:{number:08d}-0000-0000-0000-000000000000>\r\n"
            f"WARC-Date: 2019-05-06T07:08:09Z\r\nWARC-Target-URI: <http://b.example/{number}>\r\n"
            f"Content-Type: {content}\r\nContent-Length: {len(block)}\r\n\r\n".encode()
            + block
            + b"\r\n\r\n"
        )
    return b"".join(records)


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
)


def test_a_foreign_warc_is_read_with_its_encodings_undone(tmp_path):
    body = gzip.compress("안녕".encode())
    block = CHUNKED + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    path = tmp_path / "a.warc"
    path.write_bytes(foreign(("request", b"GET /"), ("response", block), ("resource", b"plain")))
    html, plain = read_warc(path)
    assert (html.url, html.body.decode(), html.content_type) == ("http://b.example/1", "안녕", "text/html")
    assert html.fetched == "2019-05-06T07:08:09Z"
    assert (plain.url, plain.body, plain.content_type) == ("http://b.example/2", b"plain", "text/plain")


def test_a_foreign_warc_may_be_one_gzip_member(tmp_path):
    path = tmp_path / "a.warc.gz"
    path.write_bytes(gzip.compress(foreign(("resource", b"one"), ("resource", b"two"))))
    assert [page.body for page in read_warc(path)] == [b"one", b"two"]


def test_our_own_segments_are_ordinary_warc(tmp_path):
    filled(tmp_path)
    assert [page.body for page in read_warc(tmp_path / "pages-00000.warc.gz")] == [body for _, body in RIGHT]


@pytest.mark.parametrize("is_packed", [True, False])
@given(cut=st.integers(1, 200))
def test_a_truncated_foreign_warc_is_corrupt(tmp_path_factory, is_packed, cut):
    whole = foreign(("resource", b"one" * 30), ("resource", b"two" * 30))
    whole = gzip.compress(whole) if is_packed else whole
    path = tmp_path_factory.mktemp("warc") / "a.warc"
    path.write_bytes(whole[: -min(cut, len(whole) - 1)])
    with pytest.raises(Corrupt, match=r"a\.warc"):
        list(read_warc(path))


@given(data=st.binary(max_size=300))
def test_what_is_no_warc_is_corrupt(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("warc") / "a.warc"
    path.write_bytes(data)
    assert is_warc(path) == data.startswith(b"WARC/")
    with pytest.raises(Corrupt):
        list(read_warc(path))


def test_the_first_record_says_what_was_collected(tmp_path):
    filled(tmp_path, origin={"source": "python-docs"})
    head = gzip.decompress((tmp_path / "pages-00000.warc.gz").read_bytes()).split(b"\r\n\r\n")[1]
    assert json.loads(head)["source"] == "python-docs"
