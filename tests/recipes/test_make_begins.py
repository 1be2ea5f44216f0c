"""What a make refuses before its first stage, and leaves no trace of."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from nextword.cli.main import run
from nextword.common.errors import BadInput
from nextword.common.folder_lock import LOCK
from nextword.recipes.make import MakeSettings, Run, make
from tests.common.test_folder_lock import held_by_another


def quiet() -> Console:
    return Console(file=io.StringIO())


def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.txt"
    path.write_text("A page that is long enough to be kept, by whoever reads it. " * 20)
    return path


def test_a_network_that_no_machine_can_hold_is_refused_at_once(tmp_path: Path) -> None:
    settings = MakeSettings(source=str(page(tmp_path)), out=str(tmp_path / "run"), depth=1_000_000)
    with pytest.raises(BadInput, match=r"1000000 layers .* the memory here is"):
        make(settings, quiet())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("theirs", ["run", "run/base"])
def test_a_second_make_in_one_folder_is_refused(
    tmp_path: Path, theirs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with held_by_another(tmp_path / theirs) as other:
        argv = ["make", "--source", str(page(tmp_path)), "--out", str(tmp_path / "run")]
        assert run(argv) == 2
    assert f"another nextword (process {other.pid}) is working in" in capsys.readouterr().err
    assert not (tmp_path / "run" / "crawl").exists()


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_a_stage_is_refused_while_a_make_works_in_its_run(
    tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = [] if verb == "pretrain" else ["--data", "none.jsonl"]
    with held_by_another(tmp_path) as other:
        assert run([verb, str(tmp_path), *data]) == 2
        assert list(tmp_path.iterdir()) == [tmp_path / LOCK]
    assert f"another nextword (process {other.pid}) is working in {tmp_path};" in capsys.readouterr().err


def test_a_text_with_fewer_tokens_than_asked_for_is_said_to_have_fewer(tmp_path: Path) -> None:
    console = quiet()
    docs = Path(__file__).parents[2] / "docs"
    settings = MakeSettings(source=str(docs), out=str(tmp_path / "run"), vocab_size=90_000)
    stages = dict(Run(settings, console).stages())
    for name in ("collect", "clean", "tokenizer"):
        stages[name]()
    assert "90,000 tokens were asked for; the text has only" in console.file.getvalue()  # type: ignore[attr-defined]
