"""Prompts to trajectories: through the engine, or from a script."""

from __future__ import annotations

import pytest
import torch

from nextword.common.dialogue import Trajectory
from nextword.common.errors import BadInput
from nextword.common.language_model import Capabilities
from nextword.common.records import Conversation, Message
from nextword.engine.fake import FakeModel
from nextword.train.assistant import Assistant
from nextword.train.branches import pack_trees
from nextword.train.prompts import prompts_of
from nextword.train.rollout import EngineRollout, answered, question_of, sampled, tree_of_answers
from nextword.train.sequence_logprobs import token_logprobs


@pytest.fixture(scope="module")
def opened(assistant):
    return Assistant.open(assistant, torch.device("cpu"))


def ask(text: str) -> Conversation:
    return Conversation([Message("user", text)], meta={"id": text})


@pytest.fixture(scope="module")
def trajectories(opened):
    rollout = EngineRollout(opened.chat, 12)
    return rollout(
        opened.speaking(opened.model, 4), [ask("Why?"), ask("A longer question, is it?")], 3, seed=7
    )


def test_there_are_so_many_samples_of_each_prompt_in_order(opened, trajectories):
    assert [one.meta["prompt"] for one in trajectories] == [0, 0, 0, 1, 1, 1]
    prompt = opened.chat.ids(ask("Why?"))
    assert all(one.ids[: len(prompt)] == prompt for one in trajectories[:3])
    assert len({tuple(one.ids) for one in trajectories}) == 6, "samples differ"


def test_masks_and_logprobs_are_of_the_policys_own_tokens(opened, trajectories):
    for one in trajectories:
        assert len(one.ids) == len(one.mask) == len(one.logprobs)
        assert all((value == 0.0) == (not on) for value, on in zip(one.logprobs, one.mask, strict=True))
        assert one.meta["stopped"] == (one.ids[-1] in opened.ends) and 1 <= sum(one.mask) <= 12


def test_logprobs_are_what_training_computes(opened, trajectories):
    trees = [tree_of_answers(trajectories[:3]), tree_of_answers(trajectories[3:])]
    found = token_logprobs(opened.model, pack_trees(trees)).logprobs
    said = [value for one in trajectories for value, on in zip(one.logprobs, one.mask, strict=True) if on]
    torch.testing.assert_close(found, torch.tensor(said), rtol=1e-4, atol=1e-4)


def test_what_is_drawn_depends_on_the_seed_alone(opened, trajectories):
    rollout = EngineRollout(opened.chat, 12)
    prompts = [ask("Why?"), ask("A longer question, is it?")]
    again, other = (rollout(opened.speaking(opened.model, 64), prompts, 3, seed) for seed in (7, 8))
    assert [one.ids for one in again] == [one.ids for one in trajectories] != [one.ids for one in other]


class Mute(FakeModel):
    """Text alone, as some endpoints give it."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("mute", 100, ids=False)


def test_a_model_that_tells_no_ids_is_refused():
    with pytest.raises(BadInput, match="tells no ids"):
        sampled(Mute("yes"), [[1]], 1, 4, seed=0)


def test_an_answered_prompt_keeps_its_meta(trajectories):
    talk = answered(ask("Why?"), trajectories[0])
    assert [message.role for message in talk.messages] == ["user", "assistant"] and talk.meta == {
        "id": "Why?"
    }


def test_a_tools_words_are_read_and_not_scored():
    one = Trajectory([1, 2, 10, 20, 21, 11], [0, 0, 1, 0, 0, 1], [0, 0, -1, 0, 0, -2])
    two = Trajectory([1, 2, 12], [0, 0, 1], [0, 0, -3])
    tree = tree_of_answers([one, two])
    assert tree.prefix == (1, 2) and tree.branches[0].mask == (1, 0, 0, 1)
    assert pack_trees([tree]).targets.tolist() == [10, 11, 12]


def test_a_trajectory_without_a_prompt_is_refused():
    with pytest.raises(BadInput, match="policy's own token"):
        tree_of_answers([Trajectory([1], [1], [-1.0])])


def test_a_last_answer_is_taken_off_a_prompt():
    talk = Conversation(
        [Message("user", "a"), Message("assistant", "b"), Message("user", "c"), Message("assistant", "d")]
    )
    assert [message.content for message in question_of(talk).messages] == ["a", "b", "c"]


def test_prompts_without_room_for_an_answer_or_without_a_question_are_counted(opened):
    silent = Conversation([Message("assistant", "Hello!")])
    found = prompts_of([ask("Why?"), ask("Why? " * 40), silent], opened.chat, 96, 20)
    assert [one.messages[0].content for one in found.kept] == ["Why?"]
    assert found.told() == "left out: 1 with no room for 20 tokens in a context of 96, 1 without a question"
