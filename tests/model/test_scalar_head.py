"""The scalar head: Llama's trunk to the letter, and a folder that transformers opens."""

from __future__ import annotations

import json
import subprocess

import pytest
import torch

from nextword.common.errors import BadInput, Corrupt
from nextword.model.scalar_head import ScalarLlama, load_scalar, save_scalar

IDS = torch.arange(3, 13)[None]


@pytest.fixture
def reward_model(tiny_model):
    return ScalarLlama.on(tiny_model, seed=3)


def test_the_trunk_is_the_assistants_and_the_head_one_row(tiny_model, reward_model):
    hidden = tiny_model.hidden(IDS)
    torch.testing.assert_close(reward_model.hidden(IDS), hidden)
    torch.testing.assert_close(reward_model(IDS), hidden @ reward_model.score.weight[0])
    assert reward_model(IDS).shape == IDS.shape
    assert not any("lm_head" in name for name, _ in reward_model.named_parameters())


def test_it_is_a_copy(tiny_model, reward_model):
    before = tiny_model.model.embed_tokens.weight.detach().clone()
    with torch.no_grad():
        reward_model.model.embed_tokens.weight.zero_()
    assert torch.equal(tiny_model.model.embed_tokens.weight, before)


def test_the_head_depends_on_the_seed_alone(tiny_model, reward_model):
    again, other = ScalarLlama.on(tiny_model, seed=3), ScalarLlama.on(tiny_model, seed=4)
    assert torch.equal(again.score.weight, reward_model.score.weight)
    assert not torch.equal(other.score.weight, reward_model.score.weight)


def test_a_saved_folder_opens_to_the_same_numbers(reward_model, tmp_path):
    save_scalar(reward_model, tmp_path / "reward", pad=482)
    opened = load_scalar(tmp_path / "reward")
    torch.testing.assert_close(opened(IDS), reward_model(IDS))
    assert all(torch.equal(one, reward_model.state_dict()[name]) for name, one in opened.state_dict().items())
    assert opened.config == reward_model.config
    shape = json.loads((tmp_path / "reward/config.json").read_text())
    assert shape["architectures"] == ["LlamaForSequenceClassification"] and shape["pad_token_id"] == 482


def test_a_tied_assistant_gives_a_reward_model_too(tiny_config, tmp_path):
    from dataclasses import replace

    from nextword.model.llama import Llama

    model = ScalarLlama.on(Llama(replace(tiny_config, tie_word_embeddings=True)), seed=0)
    save_scalar(model, tmp_path / "reward", pad=482)
    torch.testing.assert_close(load_scalar(tmp_path / "reward")(IDS), model(IDS))


def test_a_language_model_is_refused(tiny_model, tmp_path):
    from nextword.model.checkpoint import save_checkpoint

    save_checkpoint(tiny_model, tmp_path / "model")
    with pytest.raises(BadInput, match=r"not a reward model .*LlamaForCausalLM"):
        load_scalar(tmp_path / "model")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("id2label", {"0": "BAD", "1": "GOOD"}, "one label"),
        ("num_hidden_layers", 3, "has no layer 2"),
        ("intermediate_size", 64, "is .128, 64., config.json says .64, 64."),
    ],
)
def test_a_config_that_does_not_fit_is_refused(reward_model, tmp_path, field, value, message):
    save_scalar(reward_model, tmp_path, pad=482)
    shape = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(shape | {field: value}))
    with pytest.raises(BadInput, match=message):
        load_scalar(tmp_path, verify=False)


def test_damage_is_noticed(reward_model, tmp_path):
    save_scalar(reward_model, tmp_path, pad=482)
    path = tmp_path / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupt, match="checksum"):
        load_scalar(tmp_path)


PEER = """
import json, sys, torch
from transformers import LlamaForSequenceClassification as Classifier, LlamaConfig
theirs = Classifier.from_pretrained(sys.argv[1])
ids = torch.tensor([[*range(3, 13)], [*range(3, 9), 482, 482, 482, 482]])
with torch.no_grad():
    rewards = theirs(ids, attention_mask=(ids != 482).long()).logits[:, 0].tolist()
config = LlamaConfig(vocab_size=40, hidden_size=32, intermediate_size=32, num_hidden_layers=2,
    num_attention_heads=4, num_labels=1, pad_token_id=0)
torch.manual_seed(0)
own = Classifier(config).eval()
own.save_pretrained(sys.argv[2])
with torch.no_grad():
    print(json.dumps({"ours": rewards, "own": own(ids[:1] % 40 + 1).logits[0, 0].item()}))
"""


@pytest.mark.slow
def test_transformers_opens_ours_and_we_open_theirs(reward_model, need, tmp_path):
    python = need(".peers/transformers/bin/python")
    save_scalar(reward_model, tmp_path / "ours", pad=482)
    command = [python, "-c", PEER, tmp_path / "ours", tmp_path / "theirs"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(run.stdout.splitlines()[-1])
    ours = reward_model(IDS)[0]
    assert found["ours"] == pytest.approx([ours[-1].item(), ours[5].item()], abs=1e-5)
    theirs = load_scalar(tmp_path / "theirs")(IDS % 40 + 1)[0, -1]
    assert found["own"] == pytest.approx(theirs.item(), abs=1e-5)
