"""The command line: immediate help, one line for an error, exit code 2."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nextword.cli import settings_page
from nextword.cli.main import VERBS, command, run
from nextword.model.checkpoint import save_checkpoint
from nextword.model.llama import Llama


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for part in VERBS.values() for verb in part)


def test_help_loads_no_torch_and_no_verb() -> None:
    script = (
        "import sys; from nextword.cli.main import run; run(['--help']); "
        "sys.exit(any(name == 'torch' or name.startswith('nextword.data') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize("verb", [verb for part in VERBS.values() for verb in part])
def test_every_verb_has_help_of_its_own(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert f"nextword {verb}" in capsys.readouterr().out
    assert command(verb).help


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["maek"], "no verb `maek`; did you mean `make`"),
        (["collect", "--no-such-flag"], "no-such-flag"),
        (["collect", "--max-pages", "many"], "'--max-pages': Input should be a valid integer"),
        (["collect", "--config", "/nowhere.toml"], "/nowhere.toml: no such file"),
        (["collect", "--source", "/no/such/folder"], "/no/such/folder"),
        (["generate", "/no/such/model", "hello"], "/no/such/model"),
        (["show", "/no/such/file"], "/no/such/file"),
        (["see", "fake:", "x", "-n", "0"], "count is 0; give at least 1"),
        (["generate", "fake:", "x", "-n", "-1"], "max_new_tokens is -1, expected at least 0"),
        (["recall", "run", "--lines", "0"], "lines is 0; give at least 1"),
        (["collect", "--timeout", "nan"], "timeout is nan; give more than 0 and at most 86,400"),
        (["release", "model", "--type", "Q9"], "unknown tensor type 'Q9'; choose from"),
        (["generate"], "Missing argument 'model'; see `nextword generate --help`"),
        (["see", "fake:", "x", "-n", "99999999"], "count is 99999999; give at least 1 and at most 1,000"),
        (
            ["generate", "fake:", "x", "--seed", str(-(10**22))],
            "seed is -10000000000000000000000; give at least 0",
        ),
        (["chat", "fake:", "x", "--seed", "-1"], "seed is -1; give at least 0"),
        (["make", "--seed", "-1"], "seed is -1; give at least 0"),
        (["make", "--minutes", "1e300"], "minutes is 1e+300; give at most"),
        (["make", "--vocab-size", "999999999999"], "vocab_size is 999999999999; give at most 1,000,000"),
        (["tokenise", ".", "--vocab-size", "999999999999"], "vocab_size is 999999999999; give at most"),
        (["pretrain", ".", "--seed", "-1"], "seed is -1; give at least 0"),
        (
            ["finetune", ".", "--data", ".", "--minutes", "1e300"],
            "minutes is 1e+300; give at least 0 and at most",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    argv: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(argv) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir()), "something was begun"


class Interrupted:
    """Standard input at which a person types Ctrl-C."""

    @property
    def buffer(self) -> "Interrupted":
        return self

    def read(self) -> bytes:
        raise KeyboardInterrupt


def test_ctrl_c_is_one_line_and_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Interrupted())
    assert run(["generate", "fake:", "-"]) == 130
    assert capsys.readouterr().err == "nextword: stopped\n"


def test_ctrl_c_of_long_work_says_that_it_continues(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    command("collect")
    monkeypatch.setattr("nextword.cli.collect.collect", interrupted)
    assert run(["collect"]) == 130
    assert capsys.readouterr().err == "nextword: stopped; the same command continues\n"


def test_a_prompt_that_is_refused_is_not_echoed(
    capsys: pytest.CaptureFixture[str], tiny_model: Llama, tiny_tokenizer_folder: Path, tmp_path: Path
) -> None:
    save_checkpoint(tiny_model, tmp_path / "model", tiny_tokenizer_folder)
    assert run(["generate", str(tmp_path / "model"), "word " * 500, "--device", "cpu"]) == 2
    shown = capsys.readouterr()
    assert "the prompt has" in shown.err
    assert shown.out == ""


def test_a_prompt_is_read_from_standard_input() -> None:
    command = [sys.executable, "-m", "nextword", "generate", "fake:", "-"]
    shown = subprocess.run(command, input="다음 낱말".encode(), capture_output=True)
    assert shown.stdout.decode() == "다음 낱말다음 낱말\n"


@pytest.mark.parametrize(
    ("stdin", "says"), [(b"\xff\xfe", "standard input is not UTF-8"), (None, "standard input is closed")]
)
def test_standard_input_that_is_no_text_is_one_line(stdin: bytes | None, says: str) -> None:
    command = f"{sys.executable} -m nextword generate fake: - {'<&-' if stdin is None else ''}"
    shown = subprocess.run(command, shell=True, input=stdin, capture_output=True)
    assert shown.returncode == 2
    assert shown.stderr.decode().startswith(f"nextword: {says}")


@pytest.mark.parametrize("verb", ["--help", "show --help", "see fake: x", "generate fake: x"])
def test_a_reader_who_leaves_early_is_no_error(verb: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        command = [sys.executable, "-m", "nextword", *verb.split()]
        shown = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE)
    assert (shown.returncode, shown.stderr) == (0, b"")


def test_output_that_cannot_be_written_is_one_line(need: Callable[[str], Path]) -> None:
    with need("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "nextword", "--version"]
        shown = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)
    assert shown.returncode == 2
    assert shown.stderr == b"nextword: the output: No space left on device\n"


def test_a_terminal_that_cannot_show_a_text_shows_question_marks() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "nextword", "generate", "fake:", "가"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert shown.stdout == b"??\n"


def test_every_verb_with_settings_is_on_the_page_of_settings() -> None:
    shown = set(settings_page.VERBS.values())
    for verb in (verb for part in VERBS.values() for verb in part):
        module = importlib.import_module(f"nextword.cli.{verb}")
        for function in vars(module).values():
            if settings := getattr(function, "settings", None):
                assert settings in shown, f"{verb}: add {settings} to settings_page.VERBS"


def test_the_version_is_the_package_s_own() -> None:
    shown = subprocess.run([sys.executable, "-m", "nextword", "--version"], capture_output=True, text=True)
    assert shown.stdout.startswith("nextword 0.")
