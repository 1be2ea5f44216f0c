"""Numbers that no machine could mean are refused at once, in one line."""

from pathlib import Path

import pytest

from nextword.cli.main import run


@pytest.mark.parametrize(
    ("argv", "says"),
    [
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
def test_numbers_beyond_reason_are_refused_before_any_work(
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
    assert not list(tmp_path.iterdir())
