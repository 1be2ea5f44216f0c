"""Records survive a round trip in every packing, and damage is named by file and line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.common.errors import BadInput, Corrupt
from nextword.common.records import (
    Document,
    is_held_out,
    read_documents,
    read_records,
    write_documents,
    write_records,
)

PACKINGS = ["a.jsonl", "a.jsonl.zst", "a.jsonl.xz"]


@pytest.mark.parametrize("name", PACKINGS)
def test_documents_survive_a_round_trip(tmp_path: Path, name: str) -> None:
    documents = [
        Document.of("다음 단어", "http://a/ko", fetched="2026-01-02T03:04:05Z", lang="ko", title="제목"),
        Document.of("line\nline\u2028\x00", "http://a/en"),
    ]
    assert write_documents(tmp_path / name, documents) == 2
    assert list(read_documents(tmp_path / name)) == documents


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none())))
def test_any_json_objects_survive_a_round_trip(
    tmp_path_factory: pytest.TempPathFactory, records: list
) -> None:
    path = tmp_path_factory.mktemp("records") / "a.jsonl.zst"
    write_records(path, records)
    assert list(read_records(path)) == records


@pytest.mark.parametrize("name", PACKINGS)
def test_a_truncated_file_is_corrupt_and_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_records(path, ({"text": f"row {n} " * 20} for n in range(2000)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(Corrupt, match=r"a\.jsonl.*: damaged at or after line \d+"):
        list(read_records(path))


def test_a_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine"}\n[1, 2]\n')
    with pytest.raises(Corrupt, match="line 2"):
        list(read_records(path))


def test_a_line_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine"}\n{"text": ' + "[" * 100_000 + "\n")
    with pytest.raises(Corrupt, match=r"a\.jsonl: damaged at or after line 2 \(maximum recursion"):
        list(read_records(path))


def test_a_record_without_text_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine"}\n{"body": "?"}\n')
    with pytest.raises(BadInput, match="record 2 has no `text`"):
        list(read_documents(path))


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ('"url": null', "the `url` of record 2 is not a string"),
        ('"id": 7', "the `id` of record 2 is not a string"),
        ('"sha256": []', "the `sha256` of record 2 is not a string"),
        ('"meta": null', "the `meta` of record 2 is not an object"),
        (r'"text": "a\ud800b"', "the `text` of record 2 holds half a character"),
        (r'"meta": {"title": "\udc00"}', "the `meta` of record 2 holds half a character"),
    ],
)
def test_a_field_that_cannot_be_kept_is_named(tmp_path: Path, field: str, says: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine", "url": "http://a", "meta": {"n": [1]}}\n{"text": "x", ' + field + "}\n")
    with pytest.raises(BadInput, match=rf"a\.jsonl: {says}"):
        list(read_documents(path))


def test_a_record_of_text_alone_is_a_document_with_its_place_as_address(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "fine", "score": 1}\n')
    (found,) = read_documents(tmp_path / "a.jsonl")
    assert (found.text, found.url, found.meta) == ("fine", "a.jsonl#1", {}) and found.id


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        list(read_records(tmp_path / "none.jsonl"))


def test_a_stopped_reader_closes_quietly(tmp_path: Path) -> None:
    write_records(tmp_path / "a.jsonl", [{"n": 1}, {"n": 2}])
    reader = read_records(tmp_path / "a.jsonl")
    assert next(reader) == {"n": 1}
    reader.close()


def test_the_held_out_split_is_stable_and_near_its_percentage() -> None:
    assert is_held_out("page-7", 10) == is_held_out("page-7", 10)
    share = sum(is_held_out(f"page-{n}", 10) for n in range(10_000)) / 10_000
    assert 0.085 < share < 0.115
    assert all(is_held_out(f"page-{n}", 20) for n in range(1000) if is_held_out(f"page-{n}", 10))


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_file_from_an_editor_that_marks_its_byte_order_is_read(tmp_path: Path, ends: str) -> None:
    lines = ends.join(['{"text": "한국어"}', '{"text": "two"}', ""])
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    assert [one["text"] for one in read_records(tmp_path / "a.jsonl")] == ["한국어", "two"]
