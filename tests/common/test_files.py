"""Outputs are whole or absent, even when the disk is full or the writer dies."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.common.files import (
    check_replaceable,
    check_writable,
    folder_written_atomically,
    read_json,
    sha256,
    write_json,
    written_atomically,
)


def test_a_file_appears_only_when_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with written_atomically(path, "w") as file:
        file.write("한국어")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "한국어"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_an_error_keeps_the_old_file_and_leaves_no_part(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), written_atomically(path, "w") as file:
        file.write("new")
        _ = 1 / 0
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_clear_line_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        says = r"file\.bin: cannot be written .*free some space"
        with pytest.raises(Failure, match=says), written_atomically(path) as file:
            file.write(b"x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(("place", "says"), [("folder", "is a folder"), ("file/deep/a", "cannot be written")])
def test_a_place_that_cannot_be_written_is_found_before_the_work(
    tmp_path: Path, place: str, says: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=f"{place}: {says}.*; choose another file"):
        check_writable(tmp_path / place)


def test_looking_whether_a_place_can_be_written_leaves_nothing_there(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "deep" / "a")
    assert not list(tmp_path.iterdir())


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from nextword.common.files import written_atomically\n"
        "with written_atomically(Path(sys.argv[1]), 'w') as file:\n"
        "    file.write('new'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)]).returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_a_folder_replaces_the_old_one_only_when_it_is_whole(tmp_path: Path) -> None:
    path, ours = tmp_path / "model", ("a", "b-*")
    for name in ("b-1", "b-2"):
        with folder_written_atomically(path, ours) as part:
            (part / "a").write_text(name)
            (part / name).write_text("1")
        with pytest.raises(KeyError), folder_written_atomically(path, ours) as part:
            (part / "a").write_text("half")
            raise KeyError
        assert sorted(p.name for p in path.iterdir()) == ["a", name]
        assert (path / "a").read_text() == name
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["thesis.txt"], id="only what is foreign"),
        pytest.param(["a", "thesis.txt"], id="something foreign beside an output"),
        pytest.param(["b-1"], id="names of ours without the one that is always there"),
        pytest.param(["a", "thesis/draft.txt"], id="a folder"),
        pytest.param(["a/draft.txt"], id="a folder with a name of ours"),
        pytest.param([".hidden"], id="a hidden file"),
    ],
)
def test_a_folder_with_anything_foreign_in_it_is_never_replaced(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "out"
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text("years of work")
    says = r"out: would be replaced, but holds what is not an earlier output \(.*\); move that away, or"
    with pytest.raises(BadInput, match=says), folder_written_atomically(path, ("a", "b-*")) as part:
        (part / "a").write_text("new")
    assert all((path / name).read_text() == "years of work" for name in names)
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_folder_and_what_nobody_misses_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.mkdir()
    for name in ("", ".a.123.part", ".DS_Store"):
        if name:
            (path / name).write_text("")
        with folder_written_atomically(path, ("a",)) as part:
            (part / "a").write_text("new")
        assert [p.name for p in path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("out", "how"), [("in", "is"), ("in/side/deep", "lies in"), (".", "holds"), ("other/../in", "is")]
)
def test_an_output_stays_away_from_what_it_is_made_of(tmp_path: Path, out: str, how: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("input")
    with pytest.raises(BadInput, match=f"{how} what it would be made from .*; choose another folder"):
        check_replaceable(tmp_path / out, ("a", "in"), inputs=[tmp_path / "in"])
    check_replaceable(tmp_path / "in-2", ("a",), inputs=[tmp_path / "in"])


def test_a_file_is_no_folder_to_replace(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    with pytest.raises(BadInput, match="is no folder"):
        check_replaceable(tmp_path / "a", ("a",))


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a").write_text("old")
    (tmp_path / "out").symlink_to(tmp_path / "kept")
    with folder_written_atomically(tmp_path / "out", ("a",)) as part:
        (part / "a").write_text("new")
    assert (tmp_path / "kept" / "a").read_text() == "old"
    assert (tmp_path / "out" / "a").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "out"]


def test_json_keeps_korean_readable_and_names_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"이름": 1})
    assert "이름" in path.read_text(encoding="utf-8")
    assert read_json(path) == {"이름": 1}
    path.write_text("{")
    with pytest.raises(Corrupt, match=r"a\.json: not readable JSON"):
        read_json(path)
    with pytest.raises(BadInput, match="no such file"):
        read_json(tmp_path / "none.json")


def test_json_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(Corrupt, match=r"a\.json: not readable JSON \(maximum recursion"):
        read_json(tmp_path / "a.json")


def test_half_a_file_name_comes_back_from_json_as_it_was(tmp_path: Path) -> None:
    name = b"na\xffme".decode("utf-8", "surrogateescape")
    write_json(tmp_path / "a.json", {name: name})
    assert read_json(tmp_path / "a.json") == {name: name}


def test_sha256_is_the_standard_one(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
