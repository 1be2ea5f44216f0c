"""Names and texts that the terminal, or UTF-8 itself, cannot hold end nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

C = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
TEXT = b"# A page\n\nEnough words to be a document that a reader would like to keep.\n"


def nextword(folder: Path, *argv: str | bytes, **env: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "nextword", *argv]
    return subprocess.run(command, cwd=folder, env={**os.environ, **env}, capture_output=True)


def test_a_korean_source_is_collected_where_the_locale_is_c(tmp_path: Path) -> None:
    (tmp_path / "문서").mkdir()
    (tmp_path / "문서" / "쪽.md").write_bytes(TEXT)
    for _ in range(2):  # the second finds it finished
        done = nextword(tmp_path, "collect", "--source", "문서", "--out", "out", **C)
        assert done.returncode == 0, done.stderr
        assert b"1 pages" in done.stdout


@pytest.mark.parametrize("env", [{}, C])
def test_a_source_whose_name_is_no_utf_8_is_collected(tmp_path: Path, env: dict[str, str]) -> None:
    source = os.fsencode(tmp_path) + b"/na\xffme"
    Path(os.fsdecode(source)).mkdir()
    Path(os.fsdecode(source), os.fsdecode(b"a\xfe.md")).write_bytes(TEXT)
    for _ in range(2):
        done = nextword(tmp_path, "collect", "--source", source, "--out", "out", **env)
        assert done.returncode == 0, done.stderr
        assert b"1 pages" in done.stdout
    said = json.loads((tmp_path / "out" / "collect.json").read_text(encoding="utf-8"))
    assert os.fsencode(said["settings"]["source"]) == source


def test_an_error_that_names_such_a_file_is_one_line(tmp_path: Path) -> None:
    done = nextword(tmp_path, "show", b"\xff/nothing", PYTHONIOENCODING="ascii:strict")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
