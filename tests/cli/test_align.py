"""`nextword align`: every method by its name, and one line for what does not fit together."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from nextword.cli.main import run
from nextword.common.dialogue import write_conversations
from nextword.common.files import read_json
from nextword.common.records import Conversation, Message
from nextword.data.questions import write_questions
from nextword.model.checkpoint import load_checkpoint, save_checkpoint
from nextword.model.scalar_head import load_scalar, save_scalar
from nextword.train.align import METHODS, AlignSettings, settings_of
from nextword.train.policy import PolicySettings
from nextword.train.preference import PreferenceSettings
from tests.evaluate.conftest import SIGNATURES, question

QUICK = ["--steps", "4", "--rate", "5e-3", "--device", "cpu", "--answer-tokens", "6"]
DPO = [*QUICK, "--batch", "6", "--held-out", "25"]
PPO = [*QUICK, "--batch", "4", "--samples", "2"]


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    write_conversations(path, [Conversation([Message("user", f"{n}?")]) for n in range(8)])
    return path


def test_comparisons_are_enough_for_dpo(finetuned_run, comparisons, capsys):
    argv = ["align", str(finetuned_run), "--data", str(comparisons), *DPO]
    assert run(argv) == 0
    out, said = finetuned_run / "aligned", capsys.readouterr().out
    result = read_json(out / "result.json")
    assert f"dpo: {result['records']} records, 4 steps" in said
    assert f"{result['accuracy']:.0%} of {result['held_out']} held-out ones right" in said
    assert f"own answers of {result['length']:.1f} tokens, {result['kl']:.2f} nats" in said
    assert f"plot: {out / 'curves.png'}" in said and f"next: nextword chat {out / 'model'}" in said
    assert run(argv) == 0, "a finished run tells its result again"


@pytest.mark.parametrize("method", ["ipo", "kto", "orpo", "simpo"])
def test_every_other_way_to_learn_from_comparisons_has_its_name(finetuned_run, comparisons, method, capsys):
    argv = ["align", str(finetuned_run), "--data", str(comparisons), *DPO, "--method", method.upper()]
    assert run(argv) == 0
    out, said = finetuned_run / "aligned", capsys.readouterr().out
    result = read_json(out / "result.json")
    assert f"{method}: {result['records']} records, 4 steps, loss {result['loss']:.3f}" in said
    assert "left out: 1 with two equal sides" in said or method == "kto"
    trained, first = (load_checkpoint(finetuned_run / name / "model") for name in ("aligned", "finetuned"))
    assert not torch.equal(trained.lm_head.weight, first.lm_head.weight)


def test_rated_answers_are_enough_for_kto(finetuned_run, tmp_path, capsys):
    path = tmp_path / "rated.jsonl"
    rated = [
        {"prompt": f"{n}?", "completion": said, "label": said == "yes"}
        for n in range(12)
        for said in ("yes", "no", "")
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in rated))
    assert run(["align", str(finetuned_run), "--data", str(path), *DPO, "--method", "kto"]) == 0
    said = capsys.readouterr().out
    assert "left out: 12 with an empty answer" in said and "kto: " in said


def test_a_reward_model_and_prompts_are_enough_for_ppo(finetuned_run, prompts, reward_model, capsys):
    given = ["--data", str(prompts), "--reward", str(reward_model)]
    assert run(["align", str(finetuned_run), *given, *PPO]) == 0
    said = capsys.readouterr().out
    assert "ppo: 8 prompts, 4 steps; reward" in said and "nats an answer from the first model" in said
    assert (finetuned_run / "aligned" / "curves.png").exists()


def test_a_run_is_taken_for_its_own_reward_model(finetuned_run, prompts, reward_model, tmp_path):
    run_folder = tmp_path / "with one"
    (run_folder / "reward").mkdir(parents=True)
    (run_folder / "reward" / "model").symlink_to(reward_model)
    given = ["--data", str(prompts), "--reward", str(run_folder), "--out", str(tmp_path / "ppo")]
    assert run(["align", str(finetuned_run), *given, *PPO]) == 0


def test_checkable_questions_are_enough_for_grpo(finetuned_run, tmp_path, capsys):
    asked = [question(name, "signature", "en") for name in SIGNATURES]
    write_questions(tmp_path / "questions.jsonl", asked)
    given = ["--task", str(tmp_path / "questions.jsonl"), "--closed-book", "--method", "Dr. GRPO"]
    assert run(["align", str(finetuned_run), *given, *QUICK, "--samples", "2", "--batch", "2"]) == 0
    assert f"dr_grpo: {len(asked)} prompts, 4 steps" in capsys.readouterr().out


def test_the_prompts_of_comparisons_are_prompts(finetuned_run, comparisons, reward_model, capsys):
    given = ["--data", str(comparisons), "--reward", str(reward_model), "--method", "rloo", "--steps", "1"]
    assert run(["align", str(finetuned_run), *PPO, *given]) == 0
    assert "rloo: 49 prompts, 1 steps" in capsys.readouterr().out


def test_a_second_alignment_goes_on_from_the_first(finetuned_run, comparisons, tmp_path, monkeypatch):
    shutil.copytree(finetuned_run / "finetuned", finetuned_run / "aligned")
    seen = []
    monkeypatch.setattr(
        "nextword.train.align.align_by_preference", lambda *given: seen.append(given) or 1 / 0
    )
    for out in ([], ["--out", str(tmp_path / "again")]):
        with pytest.raises(ZeroDivisionError):
            run(["align", str(finetuned_run), "--data", str(comparisons), *DPO, *out])
    assert [given[1].parent.name for given in seen] == ["finetuned", "aligned"]


# What does not fit together


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--method", "ppo", "--data", "PROMPTS"], "ppo needs a reward; give --reward RM"),
        (["--method", "grpo"], "grpo needs a reward"),
        (["--reward", "REWARD"], "ppo has no prompts to answer; give --data"),
        (
            ["--method", "dpo", "--data", "DATA", "--reward", "REWARD"],
            "dpo learns from comparisons, not from",
        ),
        (["--method", "dpo"], "dpo has nothing to learn from; give --data comparisons.jsonl"),
        (["--method", "dpo", "--data", "PROMPTS"], "record 1"),
        (["--method", "a2c", "--data", "DATA"], "no method is called 'a2c'; choose among dpo, ipo"),
        (["--method", "simpo", "--data", "DATA", "--kl-coef", "1"], "simpo has no setting kl_coef"),
        (
            ["--method", "ipo", "--data", "DATA", "--smoothing", "0.1"],
            "ipo has no setting smoothing; leave it out, or choose dpo or simpo",
        ),
        (
            ["--method", "grpo", "--data", "PROMPTS", "--reward", "REWARD", "--gae-lambda", "0.5"],
            "choose ppo",
        ),
        (["--data", "DATA", "--closed-book"], "closed_book is about a task's pages"),
        (["--data", "PROMPTS", "--reward", "REWARD", "--closed-book"], "or give --task QUESTIONS.jsonl"),
        (["--task", "QUESTIONS", "--data", "DATA"], "a task brings its own prompts and reward"),
        (["--task", "EMPTY"], "no prompt to answer (none was given)"),
        (["--data", "EMPTY"], "no comparison to learn from"),
        (["--data", "EMPTY", "--reward", "REWARD"], "no prompt to answer (none was given)"),
        (["--data", "EQUAL"], "1 with two equal sides"),
        (["--data", "LONG"], "1 longer than the context of 96 tokens"),
        (["--data", "LONG", "--method", "kto"], "2 longer than the context of 96 tokens"),
        (["--data", "LONG", "--reward", "REWARD"], "1 with no room for 64 tokens in a context of 96"),
        (["--data", "SILENT"], "1 with an empty answer"),
        (["--data", "PROMPTS", "--reward", "ASSISTANT"], "not a reward model"),
        (["--data", "PROMPTS", "--reward", "/no/model"], "/no/model: no such file or folder"),
        (["--data", "PROMPTS", "--reward", "OTHER"], "has another tokenizer than the assistant"),
        (["--data", "PROMPTS", "--reward", "NAN"], "is nan; mend the reward"),
    ],
)
def test_what_does_not_fit_is_one_line(
    finetuned_run, comparisons, prompts, reward_model, tmp_path, argv, says, capsys
):
    places = {"PROMPTS": prompts, "DATA": comparisons, "REWARD": reward_model}
    for name in ("EMPTY", "EQUAL", "LONG", "SILENT", "QUESTIONS", "OTHER", "NAN"):
        places[name] = tmp_path / name.lower()
    places["ASSISTANT"] = finetuned_run / "finetuned"
    places["EMPTY"].write_text("")
    places["QUESTIONS"].write_text("")
    places["EQUAL"].write_text(json.dumps({"prompt": "x", "chosen": "a", "rejected": "a"}))
    places["LONG"].write_text(json.dumps({"prompt": "x " * 200, "chosen": "a", "rejected": "b"}))
    places["SILENT"].write_text(json.dumps({"prompt": "x", "chosen": "a", "rejected": " "}))
    if "OTHER" in argv:
        shutil.copytree(reward_model, places["OTHER"])
        path = places["OTHER"] / "tokenizer.json"
        path.write_text(path.read_text().replace("reserved_19", "reserved_99"))
    if "NAN" in argv:
        broken = load_scalar(reward_model)
        with torch.no_grad():
            broken.score.weight.fill_(float("nan"))
        save_scalar(broken, places["NAN"], pad=482, tokenizer=reward_model)
    words = [str(places.get(word, word)) for word in argv]
    assert run(["align", str(finetuned_run), "--device", "cpu", *words]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("nextword:")]
    assert len(lines) == 1 and says in lines[0], lines


def test_an_assistant_that_changed_meanwhile_is_a_stale_reference(
    finetuned_run, comparisons, monkeypatch, capsys
):
    argv = ["align", str(finetuned_run), "--data", str(comparisons), *DPO]
    monkeypatch.setattr("nextword.train.preference_run.PreferenceRun.train", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(argv)
    folder = finetuned_run / "finetuned" / "model"
    model = load_checkpoint(folder)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    save_checkpoint(model, folder, folder)
    assert run(argv) == 2
    assert "a stale reference: its weights changed" in capsys.readouterr().err


# Settings


@pytest.mark.parametrize("method", METHODS)
def test_each_method_keeps_its_own_defaults(method):
    made = settings_of(AlignSettings(method=method), has_reward=False)
    assert made == (PolicySettings if isinstance(made, PolicySettings) else PreferenceSettings)(method=method)


@pytest.mark.parametrize(("has_reward", "method"), [(False, "dpo"), (True, "ppo")])
def test_without_a_name_the_method_is_the_usual_one(has_reward, method):
    assert settings_of(AlignSettings(), has_reward).method == method


def test_a_toml_file_may_choose(finetuned_run, comparisons, tmp_path, monkeypatch):
    (tmp_path / "own.toml").write_text('[align]\nmethod = "simpo"\ngamma = 1\nbatch = 3\n')
    seen = []
    monkeypatch.setattr(
        "nextword.train.align.align_by_preference", lambda *given: seen.append(given) or 1 / 0
    )
    argv = ["align", str(finetuned_run), "--data", str(comparisons), "--config", str(tmp_path / "own.toml")]
    with pytest.raises(ZeroDivisionError):
        run([*argv, "--batch", "5"])
    settings = seen[0][0]
    assert (settings.method, settings.gamma, settings.batch) == ("simpo", 1.0, 5)
