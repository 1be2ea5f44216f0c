"""A reward model end to end on a tiny model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch

from nextword.common.dialogue import Comparison, write_comparisons
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.model.checkpoint import load_checkpoint
from nextword.model.scalar_head import load_scalar
from nextword.tokenizer.chat import ChatTemplate
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.metrics import Metrics
from nextword.train.reward import RewardResult, RewardSettings, train_reward
from nextword.train.reward_run import RewardRun
from nextword.train.run_folder import read_result
from nextword.train.stage import alone

QUICK = RewardSettings(steps=30, batch=8, rate=5e-3, warmup=1, precision="fp32", device="cpu", held_out=25)


def pair(prompt: str, chosen: str, rejected: str, **meta) -> Comparison:
    sides = ([Message("assistant", text)] for text in (chosen, rejected))
    return Comparison([Message("user", prompt)], *sides, meta)


def pairs(count=48) -> list[Comparison]:
    return [pair(f"{n}?", f"yes {n}", "no, never ever") for n in range(count)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "comparisons.jsonl"
    write_comparisons(path, [*pairs(), pair("x", "same", "same")])
    return path


@pytest.fixture(scope="module")
def trained(assistant, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("reward")
    return train_reward(QUICK, assistant, [data], out), out


def test_it_learns_what_people_prefer(trained):
    result, out = trained
    losses = [line["loss"] for line in Metrics(out / "metrics.jsonl").lines("step")]
    assert result.accuracy > 0.9 and losses[-1] < losses[0] - 0.3


def test_the_run_folder_holds_what_it_promises(trained):
    result, out = trained
    names = ["run.json", "plan.json", "metrics.jsonl", "curves.png", "calibration.png"]
    assert all((out / name).exists() for name in names)
    assert read_result(RewardResult, out) == result
    assert result.left_out == {"with two equal sides": 1} and result.records + result.held_out == 48


def test_its_length_bias_and_calibration_are_reported(trained):
    result, _ = trained
    assert result.length_correlation < 0  # here the shorter answer is the better one
    assert result.longer_wrong_accuracy == result.accuracy
    assert 0 <= result.calibration_error < 0.5 and result.spread > 0


def test_the_folder_gives_the_chosen_answer_more(trained):
    result, _ = trained
    model, tokenizer = load_scalar(result.model), Tokenizer.load(result.model)
    chat = ChatTemplate(tokenizer)

    def reward(text: str) -> float:
        talk = Conversation([Message("user", "99?"), Message("assistant", text)])
        return model(torch.tensor([chat.ids(talk, generation_prompt=False)]))[0, -1].item()

    assert reward("yes 99") > reward("no, never ever") + 1


def test_a_finished_run_returns_its_result_at_once(trained, assistant, data, monkeypatch):
    result, out = trained
    monkeypatch.setattr(RewardRun, "objective", None)  # it would fail if it trained
    assert train_reward(QUICK, assistant, [data], out) == result


def test_a_finished_run_notices_what_it_would_learn_from_now(trained, assistant, other, data, tmp_path):
    result, out = trained
    again = tmp_path / data.name
    shutil.copy(data, again)
    assert train_reward(QUICK, assistant, [again], out) == result
    write_comparisons(again, pairs(47))
    with pytest.raises(BadInput, match="its data has changed since it was begun; restore it"):
        train_reward(QUICK, assistant, [again], out)
    with pytest.raises(BadInput, match=r"was begun with assistant .*, now it is .*other"):
        train_reward(QUICK, other, [data], out)


def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    trained, assistant, data, tmp_path, monkeypatch
):
    _, undisturbed = trained
    objective = RewardRun.objective

    def stop(self, numbers):
        if self.draws.taken > 17 * QUICK.batch:
            raise KeyboardInterrupt
        return objective(self, numbers)

    monkeypatch.setattr(RewardRun, "objective", stop)
    with pytest.raises(KeyboardInterrupt):
        train_reward(QUICK, assistant, [data], tmp_path)
    monkeypatch.undo()
    train_reward(QUICK, assistant, [data], tmp_path)
    curves = [
        [(line["step"], line["loss"]) for line in Metrics(out / "metrics.jsonl").lines("step")]
        for out in (tmp_path, undisturbed)
    ]
    assert curves[0] == curves[1]


def test_a_finished_run_is_not_taken_for_another(trained, assistant, data):
    _, out = trained
    with pytest.raises(BadInput, match=r"was begun with rate 0\.005, now it is 0\.1"):
        train_reward(replace(QUICK, rate=0.1), assistant, [data], out)
    with pytest.raises(BadInput, match=r"was begun with data .*, now it is .*other.jsonl"):
        train_reward(QUICK, assistant, [data.with_name("other.jsonl")], out)


def test_comparisons_that_changed_meanwhile_are_noticed(assistant, tmp_path, monkeypatch):
    data = tmp_path / "data.jsonl"
    write_comparisons(data, pairs())
    monkeypatch.setattr(RewardRun, "train", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train_reward(QUICK, assistant, [data], tmp_path / "run")
    write_comparisons(data, [*pairs(47), pair("47?", "no, never ever", "yes 47")])
    with pytest.raises(BadInput, match="its data has changed since it was begun; restore it"):
        train_reward(QUICK, assistant, [data], tmp_path / "run")


def test_margins_count_where_they_are_asked_for(assistant, tmp_path):
    path = tmp_path / "data.jsonl"
    write_comparisons(path, [pair(f"{n}?", "yes", "no", margin=3) for n in range(20)])
    with alone("cpu") as here:
        plain = RewardRun(QUICK, assistant, [path], tmp_path / "plain", here)
        wide = RewardRun(replace(QUICK, margin=1.0), assistant, [path], tmp_path / "wide", here)
    assert wide.objective([0, 1]).loss > plain.objective([0, 1]).loss + 1


def test_the_assistant_itself_is_not_changed(trained, assistant):
    _, out = trained
    recorded = json.loads((out / "run.json").read_text())["reference"]
    from nextword.train.assistant import fingerprint

    assert fingerprint(load_checkpoint(assistant)) == recorded


def test_comparisons_that_all_say_nothing_are_refused(assistant, tmp_path):
    write_comparisons(tmp_path / "data.jsonl", [pair("a", "b", "b")])
    with pytest.raises(BadInput, match=r"no comparison to learn from \(left out: 1 with two equal sides\)"):
        train_reward(QUICK, assistant, [tmp_path / "data.jsonl"], tmp_path / "run")


@pytest.mark.parametrize("wrong", [{"margin": -1.0}, {"centre": float("nan")}, {"held_out": 95.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        RewardSettings(**wrong)
