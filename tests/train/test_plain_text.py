"""Plain text learnt beside preferences and rewards."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nextword.common.errors import BadInput
from nextword.evaluate.forgetting import held_out_bits
from nextword.tokenizer.loader import TokenLoader
from nextword.tokenizer.shards import Shards
from nextword.train.assistant import Assistant
from nextword.train.objective import ObjectiveStep
from nextword.train.plain_text import PlainText, text_loss
from nextword.train.policy import align_by_policy
from nextword.train.policy_step import PolicyStep
from nextword.train.preference import align_by_preference
from tests.train import test_policy, test_preference
from tests.train.test_policy import PROMPTS, lines, shortness
from tests.train.test_preference import data  # noqa: F401 a fixture

PREFER = replace(test_preference.QUICK, answers=0, steps=12)
REWARD = replace(test_policy.QUICK, steps=6)


def prefer(settings, assistant, data, out, tokens=None):  # noqa: F811
    return align_by_preference(settings, assistant, [data], out, tokens=tokens)


def reward(settings, assistant, data, out, tokens=None):  # noqa: F811
    return align_by_policy(settings, assistant, PROMPTS, shortness, out, tokens=tokens)


FACTS = ("train", "settings", "step")
DPO, PPO = (prefer, PREFER, ObjectiveStep), (reward, replace(REWARD, method="ppo"), PolicyStep)
KTO = (prefer, replace(PREFER, method="kto"), ObjectiveStep)


@pytest.mark.parametrize(FACTS, [DPO, KTO, PPO], ids=["dpo", "kto", "ppo"])
def test_text_beside_it_is_learnt_and_not_forgotten(train, settings, step, assistant, corpus, data, tmp_path):  # noqa: F811
    train(settings, assistant, data, tmp_path / "alone")
    beside = replace(settings, ptx_weight=2.0, ptx_rows=4)
    train(beside, assistant, data, tmp_path / "beside", corpus.tokens)
    alone, kept = (
        held_out_bits(tmp_path / name / "model", corpus.tokens, 2_000).value for name in ("alone", "beside")
    )
    assert kept < alone - 0.1
    losses = [line["text_loss"] for line in lines(tmp_path / "beside")]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(FACTS, [DPO, PPO], ids=["dpo", "ppo"])
def test_an_interrupted_run_reads_on_where_it_was(
    train, settings, step, assistant, corpus, data, tmp_path, monkeypatch  # noqa: F811
):  # fmt: skip
    settings = replace(settings, ptx_weight=1.0, steps=6)
    train(settings, assistant, data, tmp_path / "whole", corpus.tokens)
    taken, real = [], step.step

    def stop(self, batch):
        if len(taken) == 4:
            raise KeyboardInterrupt
        taken.append(batch)
        return real(self, batch)

    monkeypatch.setattr(step, "step", stop)
    with pytest.raises(KeyboardInterrupt):
        train(settings, assistant, data, tmp_path / "cut", corpus.tokens)
    monkeypatch.undo()
    train(settings, assistant, data, tmp_path / "cut", corpus.tokens)
    whole, cut = ([one["text_loss"] for one in lines(tmp_path / name)] for name in ("whole", "cut"))
    assert whole == cut and len(set(whole)) == 6


def test_its_loss_is_the_mean_over_the_tokens_of_the_very_rows(assistant, corpus):
    opened = Assistant.open(assistant, torch.device("cpu"))
    text = PlainText(corpus.tokens, replace(PREFER, ptx_rows=2, seed=3), opened)
    batch = text.next()
    shards = Shards.open(corpus.tokens, "train", fingerprint=opened.tokenizer.fingerprint)
    rows = next(TokenLoader(shards, 2, 96, seed=3))  # the context is shorter than a row
    assert batch.inputs.tolist() == rows.inputs.tolist()
    logits = opened.model(batch.inputs).flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(logits, batch.targets.flatten())
    assert text_loss(opened.model, batch, None).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("train", "settings"), [(prefer, PREFER), (reward, REWARD)], ids=["dpo", "grpo"])
def test_text_and_its_weight_come_together(train, settings, assistant, corpus, data, tmp_path):  # noqa: F811
    with pytest.raises(BadInput, match=r"ptx_weight needs plain text; .*--tokens RUN/tokens"):
        train(replace(settings, ptx_weight=1.0), assistant, data, tmp_path / "a")
    with pytest.raises(BadInput, match=r"their weight is 0; give --ptx-weight"):
        train(settings, assistant, data, tmp_path / "b", corpus.tokens)
    with pytest.raises(BadInput, match="no such"):
        train(replace(settings, ptx_weight=1.0), assistant, data, tmp_path / "c", tmp_path / "nowhere")


@pytest.mark.parametrize(("train", "settings"), [(prefer, PREFER), (reward, REWARD)], ids=["dpo", "grpo"])
def test_a_finished_run_notices_other_text(train, settings, assistant, corpus, data, tmp_path):  # noqa: F811
    settings = replace(settings, ptx_weight=1.0, steps=1)
    result = train(settings, assistant, data, tmp_path / "run", corpus.tokens)
    assert train(settings, assistant, data, tmp_path / "run", corpus.tokens) == result
    other = tmp_path / "tokens"
    other.mkdir()
    for file in corpus.tokens.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    index = other / "tokens.json"
    index.write_text(index.read_text() + "\n")
    with pytest.raises(BadInput, match="its tokens has changed since"):
        train(settings, assistant, data, tmp_path / "run", other)
