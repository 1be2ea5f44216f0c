"""run.c is compiled once, kept, and a machine without a compiler is told what to do."""

import os

import pytest

from nextword.common.errors import Failure, Missing
from nextword.runner import build as building


def test_the_program_is_an_executable_that_explains_itself(program):
    import subprocess

    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    assert "--perplexity" in done.stdout and done.stderr == ""


def test_without_a_compiler_the_error_says_what_to_install(tmp_path):
    with pytest.raises(Missing, match=r"no C compiler .*no-such-cc.*; install gcc or clang"):
        building.build(building.SOURCE, tmp_path / "run", compiler="no-such-cc")


def test_the_environment_names_the_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", "also-not-there")
    with pytest.raises(Missing, match="also-not-there"):
        building.build(building.SOURCE, tmp_path / "run")


def test_a_source_that_does_not_compile_leaves_the_previous_program(compiler, tmp_path):
    broken, out = tmp_path / "broken.c", tmp_path / "run"
    broken.write_text("int main(void) { return oops; }")
    out.write_text("previous")
    with pytest.raises(Failure, match=r"does not compile: .*oops"):
        building.build(broken, out)
    assert out.read_text() == "previous"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_library_is_compiled_once_for_a_source(compiler, monkeypatch, tmp_path):
    source = tmp_path / "run.c"
    source.write_text("int answer(void) { return 42; }")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = building.built_library(source)
    stamp = first.stat().st_mtime_ns
    assert building.built_library(source).stat().st_mtime_ns == stamp
    source.write_text("int answer(void) { return 43; }")
    assert building.built_library(source) != first


def test_a_folder_that_cannot_be_written_is_one_line(compiler, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="cannot be built") as caught:
        building.build(building.SOURCE, tmp_path / "file" / "run")
    assert os.linesep not in str(caught.value)
