"""From flags to the next assistant, really taught: killed at every step, promoted, refused, undone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nextword import engine
from nextword.cli import main
from nextword.common.dialogue import Comparison, read_conversations, write_comparisons
from nextword.common.errors import BadInput
from nextword.common.files import read_json
from nextword.common.language_model import Request, Sampling, Token
from nextword.common.records import Conversation, Message
from nextword.recipes.lineage import Lineage, chain, weights_of
from nextword.recipes.promotion import assistant_of, name_of
from nextword.recipes.round import run_round, undo
from nextword.recipes.round_settings import RoundFiles, RoundSettings
from nextword.train.preference import PreferenceSettings, align_by_preference
from nextword.train.reward import RewardSettings, train_reward
from tests.recipes.offices import now, office_at
from tests.recipes.round_world import (
    A_THIRD,
    KNOWN,
    QUICK,
    ROUND,
    UNKNOWN,
    correct,
    flag,
    taught_run,
    told,
    truth,
)
from tests.train.conftest import corpus  # noqa: F401 (a fixture)

pytestmark = pytest.mark.slow  # ten rounds of a second or several each

STEPS = ["round.json", "corrections.jsonl", "corrections.json", "mixture.jsonl", "mixture.json"]
STEPS += ["before.answers.jsonl", "result.json", "after.answers.jsonl", "lineage.json", "after.bits.json"]
STEPS += ["card.html", "decision.json", "current"]


def copied(run: Path, to: Path) -> Path:
    """The same run and labels elsewhere."""
    shutil.copytree(run.parent, to, symlinks=True)
    return to / run.name


def files(run: Path) -> RoundFiles:
    return RoundFiles(str(run.parent / "labels.db"))


def command(run: Path, settings: RoundSettings) -> list[str]:
    """The command line of a round."""
    usual, given = RoundSettings(), files(run)
    changed = [name for name in vars(usual) if getattr(settings, name) != getattr(usual, name)]
    options = [
        part for name in changed for part in (f"--{name.replace('_', '-')}", str(getattr(settings, name)))
    ]
    return ["round", str(run), "--labels", given.labels, *options]


def a_round(run: Path, **settings):
    is_dry = settings.pop("is_dry", False)
    return run_round(replace(ROUND, **settings), run, files(run), now, is_dry)


def office(run: Path):
    from nextword.label.office import Office

    return Office.open(run.parent / "labels.db", now)


def answer(run: Path, town: str) -> str:
    model = engine.open(run, device="cpu", assistant=True)
    asked = Conversation([Message("user", f"Where is {town}?")])
    events = model.generate([Request(asked, Sampling(temperature=0.0, max_new_tokens=16))])
    return "".join(event.text for event in events if isinstance(event, Token)).strip()


@pytest.fixture(scope="module")
def taught(corpus, tmp_path_factory) -> Path:  # noqa: F811
    """A run whose assistant knows its towns, and an office in which nothing is flagged yet."""
    return with_office(tmp_path_factory.mktemp("taught"), corpus, QUICK)


@pytest.fixture(scope="module")
def firm(corpus, tmp_path_factory) -> Path:  # noqa: F811
    """The same, and the assistant knows every town: who knows little has little to lose."""
    return with_office(tmp_path_factory.mktemp("firm"), corpus, replace(QUICK, steps=120))


def with_office(folder: Path, corpus, learning) -> Path:  # noqa: F811
    """A taught run and its office."""
    run = taught_run(folder / "run", corpus.tokens, corpus.tokenizer, learning)
    shutil.copytree(corpus.tokens, run / "tokens")
    office_at(folder / "labels.db").close()
    return run


@pytest.fixture(scope="module")
def promoted(taught, tmp_path_factory) -> Path:
    """After a round in which four towns were corrected, killed after every file it wrote."""
    run = copied(taught, tmp_path_factory.mktemp("promoted") / "w")
    with office(run) as opened:
        flag(opened, UNKNOWN)
        assert correct(opened, truth) == len(UNKNOWN)
    paths = [str(run), str(run.parent / "labels.db")]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "tests.recipes.run_killed_round", *paths, *STEPS],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split("\n")[:-1] == [*STEPS, "ended 0"], done.stderr
    return run


def test_corrected_answers_are_learnt_and_the_rest_is_kept(promoted):
    decision = read_json(promoted / "rounds/001/decision.json")
    assert decision["is_promoted"], decision["reasons"]
    found = {each["task"]: each for each in decision["findings"]}
    assert found["corrected answers"]["before"]["mean"] == 0.0
    assert found["corrected answers"]["after"]["mean"] >= 0.75
    assert found["former answers"]["after"]["mean"] >= 0.75


def test_what_was_promoted_is_what_answers_and_the_one_before_is_kept(promoted):
    assert name_of(promoted, assistant_of(promoted)) == "rounds/001/finetuned"
    right = [town for town in UNKNOWN if answer(promoted, town) == truth(town)]
    assert len(right) >= 2
    assert (promoted / "finetuned" / "model" / "model.safetensors").is_file()


def test_a_killed_round_leaves_one_folder_one_version_and_no_rubbish(promoted):
    assert [path.name for path in sorted((promoted / "rounds").glob("[0-9]*"))] == ["001"]
    with office(promoted) as opened:
        owner = opened.people.owner()
        (version,) = opened.datasets.versions(owner, opened.projects.get(owner, "default").id)
    assert (version.version, version.records, version.sha256) == (1, 4, lineage(promoted).corrections.sha256)


def lineage(run: Path, number: int = 1) -> Lineage:
    return Lineage.read(run / "rounds" / f"{number:03d}")


def test_the_lineage_goes_from_the_model_to_the_data_and_the_people(promoted):
    (found,) = chain(promoted, assistant_of(promoted))
    assert (found.model, found.parent) == ("rounds/001/finetuned", "finetuned")
    assert found.corrections.by == {"rule:towns": 4}
    assert found.former[0].records == 48
    assert found.mixture["corrections"] == 4 and found.mixture["apart"] == 12
    first = next(read_conversations(promoted / "rounds/001/corrections.jsonl"))
    assert first.meta["labelled"]["source"] == "flag"


def test_the_same_command_tells_the_same_and_does_nothing(promoted):
    again = a_round(promoted)
    assert again.is_repeated and again.is_used and again.number == 1
    assert not (promoted / "rounds/002").exists()


def test_a_next_round_takes_the_next_version_and_sets_out_from_the_last(promoted, tmp_path):
    run = copied(promoted, tmp_path / "w")
    with office(run) as opened:
        flag(opened, ["Xa", "Xo"])
        correct(opened, truth)
    outcome = a_round(run, is_dry=True)
    found = lineage(run, 2)
    assert outcome.number == 2 and not outcome.is_used
    assert (found.corrections.version, found.corrections.parent_version) == (2, 1)
    assert (found.corrections.records, found.corrections.added) == (6, 2)
    assert (found.parent, found.parent_weights) == ("rounds/001/finetuned", lineage(run).weights)


def test_a_promotion_is_undone_and_not_done_again(promoted, tmp_path):
    run = copied(promoted, tmp_path / "w")
    assert undo(run) == ("finetuned", "rounds/001/finetuned")
    again = a_round(run)
    assert again.is_repeated and not again.is_used
    assert name_of(run, assistant_of(run)) == "finetuned"
    with pytest.raises(BadInput, match="no round has promoted"):
        undo(run)


def test_a_dry_run_decides_and_the_same_command_then_promotes(taught, tmp_path):
    run = copied(taught, tmp_path / "w")
    with office(run) as opened:
        flag(opened, UNKNOWN)
        correct(opened, truth)
    outcome = a_round(run, is_dry=True)
    assert outcome.decision.is_promoted and not outcome.is_used
    assert name_of(run, assistant_of(run)) == "finetuned"
    outcome = a_round(run)
    assert outcome.is_repeated and outcome.is_used
    assert (run / "rounds/001/promoted.json").exists()


def test_a_round_sets_out_from_an_aligned_assistant_and_rehearses_what_it_was_finetuned_on(taught, tmp_path):
    run = copied(taught, tmp_path / "w")
    write_comparisons(
        tmp_path / "comparisons.jsonl",
        (Comparison(told(town).messages[:1], told(town).messages[1:], told(town, "No.").messages[1:])
         for town in KNOWN),
    )  # fmt: skip
    made_of = run / "finetuned" / "model", [tmp_path / "comparisons.jsonl"]
    little = {"steps": 2, "rate": 1e-6, "precision": "fp32", "device": "cpu"}
    train_reward(RewardSettings(**little), *made_of, run / "reward")
    align_by_preference(PreferenceSettings(**little, answers=0), *made_of, run / "aligned")
    with office(run) as opened:
        flag(opened, UNKNOWN)
        correct(opened, truth)
    outcome = a_round(run)
    assert outcome.is_used, outcome.decision.reasons
    found = lineage(run)
    assert (found.parent, found.parent_weights) == ("aligned", weights_of(run / "aligned"))
    assert [Path(one.path).name for one in found.former] == ["towns.jsonl"]
    assert undo(run) == ("aligned", "rounds/001/finetuned")


@pytest.mark.parametrize("poison", ["I cannot help with that.", "It is in the sea."])
def test_a_poisoned_set_is_refused_with_code_1_and_the_assistant_stays(firm, tmp_path, capsys, poison):
    run = copied(firm, tmp_path / "w")
    with office(run) as opened:
        flag(opened, A_THIRD)
        correct(opened, lambda town: poison, "mallory")
    assert main.run(command(run, ROUND)) == 1
    said = capsys.readouterr().out
    assert "refused: worse: former answers: " in said
    assert "corrections by rule:mallory (16)" in said
    assert "round 1 is refused; the assistant is the one it was" in said
    assert name_of(run, assistant_of(run)) == "finetuned"
    with pytest.raises(BadInput, match="no correction is left"):
        run_round(replace(ROUND, without=("rule:mallory",)), run, files(run), now)


def test_without_corrections_there_is_no_round_and_no_folder(taught, tmp_path):
    run = copied(taught, tmp_path / "w")
    with pytest.raises(BadInput, match="nothing has been flagged"):
        a_round(run)
    with office(run) as opened:
        flag(opened, UNKNOWN)
    with pytest.raises(BadInput, match=r"no correction yet \(4 flags wait\)"):
        a_round(run)
    assert not list((run / "rounds").glob("[0-9]*"))


def test_a_canary_that_is_lost_is_told_by_name(promoted, tmp_path):
    from nextword.common.dialogue import write_conversations

    run = copied(promoted, tmp_path / "w")
    undo(run)
    write_conversations(
        tmp_path / "canary.jsonl", [told("Za", answer(run, "Za"))]
    )  # what it must keep saying
    kept = replace(files(run), canaries=(tmp_path / "canary.jsonl",))
    outcome = run_round(ROUND, run, kept, now)
    assert any("1 lost (Where is Za?" in reason for reason in outcome.decision.reasons)


@pytest.mark.parametrize(
    ("name", "value"), [("start", "top"), ("repeats", 0), ("precision", "x"), ("mend", 2)]
)
def test_settings_that_cannot_be_met_are_refused(name, value):
    with pytest.raises(BadInput, match=name):
        RoundSettings(**{name: value})


def test_the_decision_is_json_that_a_program_can_read(promoted):
    text = (promoted / "rounds/001/decision.json").read_text(encoding="utf-8")
    assert set(json.loads(text)) == {"is_promoted", "reasons", "findings", "bits", "notes"}
