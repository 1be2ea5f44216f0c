"""Learning from comparisons end to end on a tiny model."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from nextword.common.dialogue import Comparison, write_comparisons
from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.common.records import Message, write_records
from nextword.model.checkpoint import load_checkpoint, save_checkpoint
from nextword.model.config_file import end_tokens
from nextword.train.metrics import Metrics
from nextword.train.preference import METHODS, PreferenceResult, PreferenceSettings, align_by_preference
from nextword.train.preference_objective import PreferenceObjective
from nextword.train.preference_run import PreferenceRun
from nextword.train.run_folder import read_result

SCRIPT = Path(__file__).with_name("run_alignment.py")
QUICK = PreferenceSettings(
    steps=24,
    batch=6,
    rate=5e-3,
    warmup=1,
    precision="fp32",
    device="cpu",
    held_out=25,
    answers=4,
    answer_tokens=6,
)


def pairs(count=48) -> list[Comparison]:
    return [
        Comparison(
            [Message("user", f"{n}?")],
            [Message("assistant", f"yes {n}")],
            [Message("assistant", "no, never")],
        )
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "comparisons.jsonl"
    write_comparisons(path, pairs())
    return path


def curve(out: Path) -> list[tuple[int, float, float]]:
    return [(one["step"], one["loss"], one["margin"]) for one in Metrics(out / "metrics.jsonl").lines("step")]


@pytest.fixture(scope="module")
def reference(assistant, data, tmp_path_factory):
    """A run that nothing disturbs."""
    out = tmp_path_factory.mktemp("dpo")
    return align_by_preference(QUICK, assistant, [data], out), out


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_what_is_preferred(assistant, data, tmp_path, method):
    settings = replace(QUICK, method=method, answers=0)
    result = align_by_preference(settings, assistant, [data], tmp_path)
    looks = list(Metrics(tmp_path / "metrics.jsonl").lines("evaluation"))
    assert result.accuracy > 0.9 and looks[-1]["loss"] < looks[0]["loss"]
    assert result.margin > 0 and result.records + result.held_out >= 48


def test_an_sft_weight_makes_what_was_chosen_likelier(reference, assistant, data, tmp_path):
    align_by_preference(replace(QUICK, sft_weight=5.0), assistant, [data], tmp_path)
    ends = [list(Metrics(out / "metrics.jsonl").lines("step"))[-1] for out in (reference[1], tmp_path)]
    assert ends[1]["chosen_logprob"] > ends[0]["chosen_logprob"] + 0.5


def test_the_run_folder_holds_what_it_promises(reference):
    result, out = reference
    names = ["run.json", "plan.json", "metrics.jsonl", "curves.png", "result.json", "model/config.json"]
    assert all((out / name).exists() for name in [*names, "reference/train/logprobs.safetensors"])
    assert read_result(PreferenceResult, out) == result


def test_metrics_say_what_a_person_wants_to_know(reference):
    result, out = reference
    step, look = (list(Metrics(out / "metrics.jsonl").lines(kind))[-1] for kind in ("step", "evaluation"))
    for name in ("margin", "accuracy", "chosen_logprob", "rejected_logprob", "chosen_reward", "entropy"):
        assert name in step
    assert look["kl"] == result.kl > 0 and look["kl_token"] > 0
    assert result.accuracy_before == 0.0  # the policy is its own reference: no side is preferred


def test_the_model_folder_is_the_trained_model_and_knows_where_answers_end(reference, assistant):
    result, _ = reference
    trained, first = load_checkpoint(result.model), load_checkpoint(assistant)
    assert not torch.equal(trained.lm_head.weight, first.lm_head.weight)
    assert set(end_tokens(result.model)) >= {481, 487}  # <|eos|> and <|end|>


def test_a_finished_run_returns_its_result_at_once(reference, assistant, data, monkeypatch):
    result, out = reference
    monkeypatch.setattr(PreferenceObjective, "__call__", None)  # it would fail if it trained
    assert align_by_preference(QUICK, assistant, [data], out) == result


def test_a_finished_run_notices_what_it_would_learn_from_now(reference, assistant, other, data, tmp_path):
    result, out = reference
    again = tmp_path / data.name
    shutil.copy(data, again)
    assert align_by_preference(QUICK, assistant, [again], out) == result
    write_comparisons(again, pairs(47))
    with pytest.raises(BadInput, match="its data has changed since it was begun; restore it"):
        align_by_preference(QUICK, assistant, [again], out)
    with pytest.raises(BadInput, match=r"was begun with assistant .*, now it is .*other"):
        align_by_preference(QUICK, other, [data], out)


def test_a_run_killed_at_a_random_step_goes_on_as_if_nothing_had_happened(
    reference, assistant, data, tmp_path
):
    _, undisturbed = reference
    out, moment = tmp_path / "run", random.randrange(6, 20)
    command = [sys.executable, str(SCRIPT), "preference", json.dumps(asdict(QUICK)), assistant, data, out]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=SCRIPT.parents[2])
    while process.poll() is None:
        if (out / "metrics.jsonl").exists() and len(curve(out)) >= moment:
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL, "it was meant to be killed"
    align_by_preference(QUICK, assistant, [data], out)
    assert curve(out) == curve(undisturbed), f"killed after step {moment}"


def test_a_comparison_with_equal_sides_is_left_out_and_counted(assistant, tmp_path):
    write_comparisons(
        tmp_path / "data.jsonl", [*pairs(24), replace(pairs(1)[0], rejected=pairs(1)[0].chosen)]
    )
    result = align_by_preference(
        replace(QUICK, steps=1), assistant, [tmp_path / "data.jsonl"], tmp_path / "run"
    )
    assert result.left_out == {"with two equal sides": 1}


def test_nothing_to_learn_from_is_said_in_one_line(assistant, tmp_path):
    write_comparisons(tmp_path / "data.jsonl", [replace(one, rejected=one.chosen) for one in pairs(3)])
    with pytest.raises(BadInput, match=r"no comparison to learn from \(left out: 3 with two equal sides\)"):
        align_by_preference(QUICK, assistant, [tmp_path / "data.jsonl"], tmp_path / "run")


def test_rated_answers_teach_kto(assistant, tmp_path):
    records = [
        {"prompt": f"{n}?", "completion": text, "label": text == "yes"}
        for n in range(24)
        for text in ("yes", "no")
    ]
    write_records(tmp_path / "data.jsonl", records)
    settings = replace(QUICK, method="kto", answers=0)
    assert (
        align_by_preference(settings, assistant, [tmp_path / "data.jsonl"], tmp_path / "run").accuracy > 0.9
    )


def interrupted(settings, assistant, data, out, monkeypatch):
    """A run that was interrupted after a few steps."""
    called = PreferenceObjective.__call__

    def stop(self, batch):
        if torch.is_grad_enabled() and Metrics(out / "metrics.jsonl").path.exists() and len(curve(out)) >= 9:
            raise KeyboardInterrupt
        return called(self, batch)

    monkeypatch.setattr(PreferenceObjective, "__call__", stop)
    with pytest.raises(KeyboardInterrupt):
        align_by_preference(settings, assistant, [data], out)
    monkeypatch.undo()


def test_an_assistant_that_changed_is_a_stale_reference(assistant, data, tmp_path, monkeypatch):
    folder = shutil.copytree(assistant, tmp_path / "assistant")
    interrupted(QUICK, folder, data, tmp_path / "run", monkeypatch)
    model = load_checkpoint(folder)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    save_checkpoint(model, folder, assistant)
    with pytest.raises(BadInput, match="a stale reference: its weights changed"):
        align_by_preference(QUICK, folder, [data], tmp_path / "run")


@pytest.mark.parametrize("method", METHODS)
def test_comparisons_that_changed_meanwhile_are_noticed(assistant, tmp_path, monkeypatch, method):
    data, settings = tmp_path / "data.jsonl", replace(QUICK, method=method)
    write_comparisons(data, pairs())
    monkeypatch.setattr(PreferenceRun, "train", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        align_by_preference(settings, assistant, [data], tmp_path / "run")
    write_comparisons(data, pairs(47))
    with pytest.raises(BadInput, match="its data has changed since it was begun; restore it"):
        align_by_preference(settings, assistant, [data], tmp_path / "run")


def test_a_finished_run_is_not_taken_for_another(reference, assistant, data):
    _, out = reference
    with pytest.raises(BadInput, match="was begun with method dpo, now it is ipo"):
        align_by_preference(replace(QUICK, method="ipo"), assistant, [data], out)


def test_a_damaged_reference_is_named(assistant, data, tmp_path, monkeypatch):
    interrupted(QUICK, assistant, data, tmp_path / "run", monkeypatch)
    path = tmp_path / "run/reference/train/logprobs.safetensors"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(Corrupt, match=r"not a whole safetensors file.*computed again"):
        align_by_preference(QUICK, assistant, [data], tmp_path / "run")


def test_a_loss_that_is_not_a_number_ends_in_one_line_with_the_weights_before_it(assistant, data, tmp_path):
    wild = replace(QUICK, rate=1e30, clip=0.0)
    with pytest.raises(Failure, match=r"diverged at step .*lower learning rates"):
        align_by_preference(wild, assistant, [data], tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "ppo"},
        {"beta": -1.0},
        {"smoothing": 0.6},
        {"precision": "fp8"},
        {"steps": 0, "epochs": 0.0},
        {"method": "kto", "batch": 1},
        {"method": "kto", "sft_weight": 1.0},
        {"sft_weight": -1.0},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(BadInput):
        PreferenceSettings(**wrong)
