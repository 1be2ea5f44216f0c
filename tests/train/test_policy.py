"""Reinforcement learning end to end on a tiny model."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from nextword.common.dialogue import Trajectory, write_conversations
from nextword.common.errors import BadInput, Failure
from nextword.common.files import read_json, write_json
from nextword.common.records import Conversation, Message
from nextword.data.questions import Question
from nextword.evaluate.task import Questions
from nextword.model.checkpoint import load_checkpoint, save_checkpoint
from nextword.train.assistant import Assistant
from nextword.train.branches import Branch, Tree, pack_trees
from nextword.train.metrics import Metrics
from nextword.train.policy import METHODS, PolicyResult, PolicySettings, align_by_policy, facts_of
from nextword.train.policy_run import PolicyRun
from nextword.train.policy_step import PolicyStep, with_written
from nextword.train.run_folder import read_result
from nextword.train.sequence_logprobs import token_logprobs

SCRIPT = Path(__file__).with_name("run_alignment.py")
QUICK = PolicySettings(
    method="grpo",
    steps=14,
    batch=4,
    samples=6,
    answer_tokens=10,
    rate=1e-2,
    warmup=0,
    decay=0.2,
    kl_coef=0.01,
    missing_eos=0.0,
    max_kl=0.0,
    max_growth=0.0,
    device="cpu",
)
PROMPTS = [Conversation([Message("user", f"{n}?")], meta={"n": n}) for n in range(8)]


def shortness(conversation: Conversation) -> float:
    """A reward that a random model can learn within a few steps."""
    return -len(str(conversation.messages[-1].content)) / 20


def lines(out: Path) -> list[dict]:
    return list(Metrics(out / "metrics.jsonl").lines("step"))


@pytest.fixture(scope="module")
def reference(assistant, tmp_path_factory):
    """A run that nothing disturbs."""
    out = tmp_path_factory.mktemp("grpo")
    return align_by_policy(QUICK, assistant, PROMPTS, shortness, out), out


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_to_be_rewarded(assistant, tmp_path, method):
    settings = replace(QUICK, method=method)
    result = align_by_policy(settings, assistant, PROMPTS, shortness, tmp_path)
    assert result.reward > result.reward_before + 0.1
    assert result.kl > 0 and not result.stopped and result.steps == 14


@pytest.mark.parametrize("method", ["ppo", "rloo"])
def test_written_answers_are_learnt_beside_the_policy_s_own(assistant, tmp_path, method):
    written = [Conversation([*one.messages, Message("assistant", "abc")], meta=one.meta) for one in PROMPTS]
    settings = replace(QUICK, method=method, kl_coef=0.0, sft_weight=1.0)
    mixed = [*written[:-1], PROMPTS[-1]]  # one has no answer
    align_by_policy(settings, assistant, mixed, shortness, tmp_path)
    losses = [line["written_loss"] for line in lines(tmp_path)]
    assert losses[-1] < losses[0] / 2


def test_what_was_written_is_learnt_where_a_group_teaches_nothing(assistant, tmp_path):
    written = [Conversation([*one.messages, Message("assistant", "abc")], meta=one.meta) for one in PROMPTS]
    settings = replace(QUICK, kl_coef=0.0, sft_weight=1.0, steps=8)
    align_by_policy(settings, assistant, [*written[:-1], PROMPTS[-1]], lambda talk: 0.0, tmp_path)
    found = lines(tmp_path)
    assert all(line["dropped"] == 1 for line in found)
    assert found[-1]["written_loss"] < found[0]["written_loss"] / 2


def test_the_written_answer_is_no_part_of_the_policy_s_loss(assistant):
    opened = Assistant.open(assistant, torch.device("cpu"))
    own = [Branch((5, 6, 7), (1, 1, 1)), Branch((8, 9), (1, 1))]
    tree = Tree((1, 2, 3), tuple(own))
    packed = pack_trees([tree, tree])
    alone = packed.padded(token_logprobs(opened.model, packed).logprobs)
    forest, is_own = with_written([tree, tree], [Branch((4, 4, 4, 4, 4), (1,) * 5), None])
    assert is_own.tolist() == [True, True, False, True, True]
    packed = pack_trees(forest)
    beside = packed.padded(token_logprobs(opened.model, packed).logprobs)[is_own][:, : alone.shape[1]]
    assert torch.allclose(alone, beside, atol=1e-5)


def test_the_run_folder_holds_what_it_promises(reference):
    result, out = reference
    names = ["run.json", "plan.json", "metrics.jsonl", "samples.jsonl", "curves.png", "model/config.json"]
    assert all((out / name).exists() for name in names)
    assert read_result(PolicyResult, out) == result


def test_a_finished_run_is_not_taken_for_another(reference, assistant):
    _, out = reference
    with pytest.raises(BadInput, match=r"was begun with kl_coef .*, now it is 7\.0"):
        align_by_policy(replace(QUICK, kl_coef=7.0), assistant, PROMPTS, shortness, out)


def test_metrics_say_what_a_person_wants_to_know(assistant, tmp_path):
    align_by_policy(replace(QUICK, method="ppo", steps=2), assistant, PROMPTS, shortness, tmp_path)
    wanted = "reward kl kl_coef entropy clipped length stopped explained_variance value_loss rollout_share"
    assert set(wanted.split()) <= lines(tmp_path)[-1].keys()


def test_the_first_step_of_a_policy_is_its_reference(reference):
    _, out = reference
    assert lines(out)[0]["kl"] == pytest.approx(0, abs=1e-5) and lines(out)[0]["clipped"] == 0


def test_a_run_killed_at_a_random_step_goes_on_as_if_nothing_had_happened(reference, assistant, tmp_path):
    _, undisturbed = reference
    data, out, moment = tmp_path / "prompts.jsonl", tmp_path / "run", random.randrange(4, 12)
    write_conversations(data, PROMPTS)
    command = [sys.executable, str(SCRIPT), "policy", json.dumps(asdict(QUICK)), assistant, data, out]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=SCRIPT.parents[2])
    while process.poll() is None:
        if (out / "metrics.jsonl").exists() and len(lines(out)) >= moment:
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL, "it was meant to be killed"
    align_by_policy(QUICK, assistant, data, shortness, out)
    curves = [[(one["step"], one["loss"], one["reward"]) for one in lines(run)] for run in (out, undisturbed)]
    assert curves[0] == curves[1], f"killed after step {moment}"


def test_an_adaptive_leash_survives_an_interruption(assistant, tmp_path, monkeypatch):
    settings = replace(QUICK, method="ppo", steps=10, kl_target=0.001, rate=5e-3)
    align_by_policy(settings, assistant, PROMPTS, shortness, tmp_path / "whole")
    step = PolicyStep.step

    def stop(self, batch):
        if batch.number == 8:
            raise KeyboardInterrupt
        return step(self, batch)

    monkeypatch.setattr(PolicyStep, "step", stop)
    with pytest.raises(KeyboardInterrupt):
        align_by_policy(settings, assistant, PROMPTS, shortness, tmp_path / "cut")
    monkeypatch.undo()
    align_by_policy(settings, assistant, PROMPTS, shortness, tmp_path / "cut")
    whole, cut = (
        [(one["loss"], one["kl_coef"]) for one in lines(tmp_path / name)] for name in ("whole", "cut")
    )
    assert whole == cut and whole[-1][1] > QUICK.kl_coef


def test_whitened_rewards_are_as_spread_whatever_their_unit(assistant, tmp_path):
    losses = []
    for whiten in (False, True):
        settings = replace(QUICK, method="ppo", steps=1, batch=8, kl_coef=0.0, whiten_rewards=whiten)
        out = tmp_path / str(whiten)
        align_by_policy(settings, assistant, PROMPTS, lambda talk: (-1) ** talk.meta["n"] * 1000.0, out)
        losses.append(lines(out)[0]["value_loss"])
    assert losses[0] > 1e5 and losses[1] < 100


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_is_an_error_that_names_the_answer(assistant, tmp_path, value):
    with pytest.raises(BadInput, match=rf"the reward of the answer .* is {value}; mend the reward"):
        align_by_policy(QUICK, assistant, PROMPTS, lambda conversation: value, tmp_path)


def test_where_all_answers_are_as_good_nothing_is_learnt(assistant, tmp_path):
    align_by_policy(replace(QUICK, steps=2), assistant, PROMPTS, lambda conversation: 1.0, tmp_path)
    assert [(one["dropped"], one["loss"], one["gradient_norm"]) for one in lines(tmp_path)] == [(1, 0, 0)] * 2
    trained, first = load_checkpoint(tmp_path / "model"), load_checkpoint(assistant)
    assert torch.equal(trained.lm_head.weight, first.lm_head.weight)


def test_the_reward_sees_the_prompts_meta(assistant, tmp_path):
    seen = []

    def reward(conversation: Conversation) -> float:
        seen.append(conversation.meta["n"])
        return 0.0

    align_by_policy(replace(QUICK, steps=2, batch=8), assistant, PROMPTS, reward, tmp_path)
    assert sorted(seen) == sorted([n for n in range(8) for _ in range(6)] * 2)


def test_an_answer_that_does_not_end_costs(assistant, tmp_path):
    settings = replace(QUICK, steps=1, missing_eos=3.0, answer_tokens=2)
    align_by_policy(settings, assistant, PROMPTS, lambda conversation: 0.0, tmp_path)
    (line,) = lines(tmp_path)
    assert line["reward"] == pytest.approx(-3.0 * (1 - line["stopped"]), abs=1e-5) and line["stopped"] < 1


def test_a_policy_that_leaves_its_reference_is_stopped_and_the_last_good_model_kept(assistant, tmp_path):
    settings = replace(QUICK, steps=20, kl_coef=0.0001, max_kl=0.3, decay=0.0)
    result = align_by_policy(settings, assistant, PROMPTS, shortness, tmp_path)
    assert (
        "the reward is being hacked" in result.stopped
        and "nats an answer from the reference" in result.stopped
    )
    assert 0 <= result.steps < 20 and read_json(tmp_path / "result.json")["stopped"] == result.stopped
    kept = load_checkpoint(tmp_path / f"checkpoints/step-{result.steps:06}/model")
    assert torch.equal(load_checkpoint(result.model).lm_head.weight, kept.lm_head.weight)
    assert lines(tmp_path)[result.steps]["kl"] <= 0.3, "measured after that step, and within bounds"
    assert align_by_policy(settings, assistant, PROMPTS, shortness, tmp_path) == result


def test_answers_out_of_bounds_before_any_checkpoint_are_an_error(assistant, tmp_path):
    settings = replace(QUICK, least_length=50.0)
    with pytest.raises(Failure, match=r"answers of .* tokens, at least 50 are wanted; choose bounds"):
        align_by_policy(settings, assistant, PROMPTS, shortness, tmp_path)


def test_answers_that_grow_without_end_are_stopped(assistant, tmp_path):
    settings = replace(QUICK, steps=20, answer_tokens=30, max_growth=1.05, decay=0.0)
    result = align_by_policy(settings, assistant, PROMPTS, lambda talk: -shortness(talk), tmp_path)
    assert "tokens, " in result.stopped and "at first" in result.stopped


def test_a_rollout_of_ones_own_drives_it(assistant, tmp_path):
    calls = []

    def rollout(model, prompts, samples, seed):
        calls.append((len(prompts), samples))
        return [
            Trajectory(
                [480, 5 + sample, 7, 487],
                [0, 1, 0, 1],
                [0.0, -6.0, 0.0, -6.0],
                meta={"prompt": number, "answer": [{"role": "assistant", "content": "x" * sample}]},
            )
            for number in range(len(prompts))
            for sample in range(samples)
        ]

    align_by_policy(replace(QUICK, steps=2), assistant, PROMPTS, shortness, tmp_path, rollout=rollout)
    assert calls == [(4, 6)] * 2
    assert lines(tmp_path)[0]["length"] == 2 and lines(tmp_path)[0]["stopped"] == 1


def test_a_rollout_that_loses_answers_is_refused(assistant, tmp_path):
    with pytest.raises(BadInput, match="the rollout gave"):
        align_by_policy(QUICK, assistant, PROMPTS, shortness, tmp_path, rollout=lambda *given: [])


def test_a_reward_model_rewards(assistant, reward_model, tmp_path):
    settings = replace(QUICK, method="ppo", steps=2)
    result = align_by_policy(settings, assistant, PROMPTS, reward_model, tmp_path)
    assert result.reward_before != 0 and read_json(tmp_path / "run.json")["reward"] == str(reward_model)


def test_an_assistant_that_changed_is_a_stale_reference(assistant, tmp_path, monkeypatch):
    folder = shutil.copytree(assistant, tmp_path / "assistant")
    monkeypatch.setattr(PolicyStep, "step", lambda self, batch: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        align_by_policy(QUICK, folder, PROMPTS, shortness, tmp_path / "run")
    model = load_checkpoint(folder)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    save_checkpoint(model, folder, assistant)
    with pytest.raises(BadInput, match="a stale reference"):
        align_by_policy(QUICK, folder, PROMPTS, shortness, tmp_path / "run")


def written(answers: dict[int, str]) -> list[Conversation]:
    """The prompts, some of them with a written answer."""
    return [
        replace(one, messages=[*one.messages, Message("assistant", answers[n])]) if n in answers else one
        for n, one in enumerate(PROMPTS)
    ]


def a_task(*gold: str, name: str = "questions.jsonl") -> Questions:
    """Two questions, the second with these accepted answers."""
    first = Question("a", "signature", "en", "A?", "a()", ["a()"], "http://docs.test", "a", "a() does")
    return Questions(name, [first, replace(first, id="b", text="B?", gold=list(gold))])


def at(task: Questions) -> tuple[list[Conversation], Callable[[Conversation], float]]:
    return task.conversations, task.graded


def other_reward(conversation: Conversation) -> float:
    return -shortness(conversation)


@pytest.mark.parametrize(
    ("first", "then", "says"),
    [
        ((PROMPTS, shortness), (PROMPTS[:-1], shortness), "its data has changed"),
        ((written({0: "a"}), shortness), (written({0: "b"}), shortness), "its data has changed"),
        ((PROMPTS, shortness), (written({0: "a"}), shortness), "its data has changed"),
        ((PROMPTS, shortness), (PROMPTS, other_reward), "was begun with reward shortness, now it is other"),
        (
            at(a_task("x")),
            at(a_task("y")),
            "its data has changed",
        ),  # the first gold one is told to the reward
        (at(a_task("x", "y")), at(a_task("x", "z")), "its reward has changed since it was begun; restore it"),
    ],
)
@pytest.mark.parametrize("has_ended", [True, False])
def test_what_would_be_learnt_from_now_is_noticed(
    assistant, tmp_path, monkeypatch, first, then, says, has_ended
):
    monkeypatch.setattr(PolicyRun, "train", lambda *given: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            align_by_policy(QUICK, assistant, *first, tmp_path)
    result = PolicyResult(tmp_path / "model", "grpo", 2, {}, 1, 0.0, 0.0, None, 1.0, 1.0, "", 1.0)
    if has_ended:
        write_json(tmp_path / "result.json", {**asdict(result), "model": "model"})
        assert align_by_policy(QUICK, assistant, *first, tmp_path) == result
    with pytest.raises(BadInput, match=says):
        align_by_policy(QUICK, assistant, *then, tmp_path)


def test_a_task_may_be_named_from_elsewhere(assistant):
    here, there = (facts_of(assistant, *at(a_task("x", name=name))) for name in ("q.jsonl", "/data/q.jsonl"))
    assert here == there


def test_a_reward_model_or_an_assistant_that_changed_is_noticed_when_the_run_has_ended(
    assistant, reward_model, tmp_path
):
    copies = {name: shutil.copytree(path, tmp_path / name / "model") for name, path in
              (("assistant", assistant), ("reward", reward_model))}  # fmt: skip
    settings, out = replace(QUICK, steps=1), tmp_path / "run"
    result = align_by_policy(settings, copies["assistant"], PROMPTS, copies["reward"], out)
    assert align_by_policy(settings, copies["assistant"], PROMPTS, copies["reward"], out) == result
    for name, folder in copies.items():
        config = (folder / "config.json").read_text()
        (folder / "config.json").write_text(config + " ")
        with pytest.raises(BadInput, match=f"its {name} has changed since it was begun"):
            align_by_policy(settings, copies["assistant"], PROMPTS, copies["reward"], out)
        (folder / "config.json").write_text(config)


def test_a_finished_run_returns_its_result_at_once(reference, assistant, monkeypatch):
    result, out = reference
    monkeypatch.setattr(PolicyStep, "step", None)  # it would fail if it trained
    assert align_by_policy(QUICK, assistant, PROMPTS, shortness, out) == result


def test_no_prompt_with_room_is_said_in_one_line(assistant, tmp_path):
    with pytest.raises(BadInput, match=r"no prompt to answer \(left out: 8 with no room for 95 tokens"):
        align_by_policy(replace(QUICK, answer_tokens=95), assistant, PROMPTS, shortness, tmp_path)


@pytest.mark.parametrize("wrong", [{"method": "dpo"}, {"samples": 1}, {"clip_eps": 0.0}, {"gamma": 1.5}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        PolicySettings(**{"method": "grpo", **wrong})
