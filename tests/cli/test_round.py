"""`nextword round`: its history, going back, and what cannot be done (the work itself: tests/recipes)."""

from __future__ import annotations

import pytest

from nextword.cli.main import run
from nextword.common.files import write_json
from nextword.evaluate.interval import Interval
from nextword.recipes.gate import Decision, Finding
from nextword.recipes.lineage import Corrections
from nextword.recipes.promotion import switch
from nextword.recipes.round_settings import BEGUN, DECISION, PROMOTED, VERSION
from tests.recipes.offices import office_at

HALF, LESS = Interval(0.5, 0.4, 0.6, 100), Interval(-0.2, -0.3, -0.1, 100)
WORSE = Finding("documentation", HALF, HALF, LESS, "worse")


@pytest.fixture
def rounds(tmp_path):
    """A run in which round 1 was promoted and round 2 refused."""
    for stage in ("finetuned", "rounds/001/finetuned", "rounds/002/finetuned"):
        (tmp_path / "run" / stage / "model").mkdir(parents=True)
        (tmp_path / "run" / stage / "model" / "config.json").write_text("{}")
    for number, decision in ((1, Decision(True, [], [])), (2, Decision(False, [f"worse: {WORSE}"], [WORSE]))):
        folder = tmp_path / "run" / "rounds" / f"{number:03d}"
        write_json(folder / BEGUN, {"parent": "finetuned"})
        write_json(folder / VERSION, vars(Corrections("corrections", number, number - 1, "", 20, 20, 0, 20)))
        write_json(folder / DECISION, decision.record)
    write_json(tmp_path / "run/rounds/001" / PROMOTED, {"at": "", "instead_of": "finetuned"})
    switch(tmp_path / "run", tmp_path / "run/rounds/001/finetuned")
    return tmp_path / "run"


def test_the_history_says_which_is_in_use_and_what_was_refused(rounds, capsys):
    assert run(["round", str(rounds), "--history"]) == 0
    said = capsys.readouterr().out
    first, second = (line.split() for line in said.splitlines()[1:3])
    assert first[0] == "1" and "promoted" in first and first[-2:] == ["in", "use"]
    assert second[0] == "2" and second[-1] == "refused"


def test_undo_goes_back_once(rounds, capsys):
    assert run(["round", str(rounds), "--undo"]) == 0
    assert "finetuned is the assistant in use again" in capsys.readouterr().out
    assert run(["round", str(rounds), "--undo"]) == 2
    assert "no round has promoted the assistant in use" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["round", "/no/such/run"], "/no/such/run: no such run"),
        (["round", "RUN", "--labels", "/no/such.db"], "no such database"),
        (["round", "RUN", "--start", "top"], "start is 'top'; choose assistant or base"),
        (["round", "RUN", "--project", "other"], "no project other"),
        (["round", "RUN"], "nothing has been flagged"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_code_2(rounds, tmp_path, capsys, argv, says):
    office_at(tmp_path / "labels.db").close()
    given = [str(rounds) if word == "RUN" else word for word in argv]
    labels = [] if "--labels" in argv else ["--labels", str(tmp_path / "labels.db")]
    assert run([*given, *labels]) == 2
    assert says in capsys.readouterr().err
    assert len(list((rounds / "rounds").glob("[0-9]*"))) == 2  # and leaves no empty round
