"""The command line: immediate help, one line for an error, exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from nextword.cli.main import VERBS, command, run


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


def test_the_version_is_the_package_s_own() -> None:
    shown = subprocess.run([sys.executable, "-m", "nextword", "--version"], capture_output=True, text=True)
    assert shown.stdout.startswith("nextword 0.")
