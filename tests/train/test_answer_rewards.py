"""Where rewards come from."""

from __future__ import annotations

import shutil

import pytest
import torch

from nextword.common.dialogue import Trajectory
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.model.scalar_head import load_scalar
from nextword.train.answer_rewards import ByFunction, ByModel, checked, critic
from nextword.train.assistant import Assistant

TALKS = [Conversation([Message("user", "?"), Message("assistant", text)]) for text in ("yes", "no way")]
WRITTEN = [
    Trajectory([480, 9, 10, 487], [0, 1, 1, 1], [0, -1, -1, -1]),
    Trajectory([480, 9], [0, 1], [0, -1]),
]


@pytest.fixture(scope="module")
def opened(assistant):
    return Assistant.open(assistant, torch.device("cpu"))


def test_a_function_sees_the_whole_conversation():
    score = ByFunction(lambda talk: len(talk.messages[-1].content))
    assert score(TALKS, WRITTEN) == [3, 6]


def test_a_reward_model_reads_each_answer_at_its_last_token(opened, reward_model):
    model = load_scalar(reward_model)
    expected = [model(torch.tensor([one.ids]))[0, -1].item() for one in WRITTEN]
    assert ByModel.open(reward_model, opened)(TALKS, WRITTEN) == pytest.approx(expected, abs=1e-5)
    assert abs(expected[0] - expected[1]) > 0.01


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_reward_that_is_no_finite_number_is_an_error_that_names_the_answer(value):
    with pytest.raises(BadInput, match=rf"the reward of the answer 'no way' is {value}"):
        checked([1.0, value], TALKS)


def test_the_critic_begins_as_a_copy_of_the_reward_model(opened, reward_model):
    score = ByModel.open(reward_model, opened)
    value = critic(score, opened, seed=0)
    assert torch.equal(value.score.weight, score.model.score.weight) and value is not score.model
    assert all(parameter.requires_grad for parameter in value.parameters())
    assert not any(parameter.requires_grad for parameter in score.model.parameters())


def test_without_a_reward_model_the_critic_expects_nothing(opened):
    value = critic(ByFunction(len), opened, seed=0)
    assert value(torch.tensor([[480, 9, 10]])).eq(0).all()


def test_a_reward_model_of_another_tokenizer_is_refused(opened, reward_model, tmp_path):
    folder = shutil.copytree(reward_model, tmp_path / "other")
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace("reserved_19", "reserved_99"))
    with pytest.raises(BadInput, match="another tokenizer"):
        ByModel.open(folder, opened)


def test_a_language_model_is_no_reward_model(opened, assistant):
    with pytest.raises(BadInput, match="not a reward model"):
        ByModel.open(assistant, opened)
