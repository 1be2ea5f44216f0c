"""Finetuning an adapter: it learns, it resumes exactly, and what comes out is a model as any."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nextword.common.dialogue import write_conversations
from nextword.common.errors import BadInput
from nextword.common.files import sha256
from nextword.common.records import Conversation, Message
from nextword.model.adapter import merged_model
from nextword.model.checkpoint import load_checkpoint, save_checkpoint
from nextword.model.config import ModelConfig
from nextword.model.llama import Llama
from nextword.train.distributed import Processes
from nextword.train.finetune import FinetuneData, FinetuneSettings, finetune
from nextword.train.metrics import Metrics
from nextword.train.trainee import Trainee, usual_rate

SCRIPT = Path(__file__).with_name("run_finetune.py")
QUICK = FinetuneSettings(
    steps=12,
    batch=2,
    context=64,
    lora=4,
    lora_rate=0.02,
    precision="fp32",
    device="cpu",
    prompt="Who?",
    sample_tokens=2,
    warmup=1,
)
KINDS = {"lora": QUICK, "four_bit": replace(QUICK, four_bit=True)}


@pytest.fixture(scope="module")
def base(tiny_tokenizer_folder, tmp_path_factory):
    """Random weights, two layers: an adapter has everything to learn."""
    model = Llama(ModelConfig.of_depth(1, vocab_size=512, context=128))
    model.initialise(0)
    folder = tmp_path_factory.mktemp("base") / "model"
    save_checkpoint(model, folder, tiny_tokenizer_folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talks")
    talks = [
        Conversation([Message("user", f"What is {n}?"), Message("assistant", f"{n} is a number.")])
        for n in range(12)
    ]
    write_conversations(folder / "train.jsonl", talks)
    write_conversations(folder / "heldout.jsonl", talks[:2])
    return FinetuneData((folder / "train.jsonl",), (folder / "heldout.jsonl",))


@pytest.fixture(scope="module", params=KINDS)
def done(request, base, data, tmp_path_factory):
    """(settings, base's checksum before, out, result) of a finished run of either kind."""
    out, settings = tmp_path_factory.mktemp(request.param), KINDS[request.param]
    before = sha256(base / "model.safetensors")
    return settings, before, out, finetune(settings, base, data, out)


def losses(out):
    return [line["loss"] for line in Metrics(out / "metrics.jsonl").lines("step")]


def test_the_loss_on_held_out_answers_falls(done):
    assert done[3].heldout_after < done[3].heldout_before - 0.3


def test_the_base_stays_as_it_was(done, base):
    assert sha256(base / "model.safetensors") == done[1]


def test_a_checkpoint_holds_the_adapter_and_its_moments_only(done, base):
    _, _, out, _ = done
    newest = sorted((out / "checkpoints").iterdir())[-1]
    assert sorted(path.name for path in newest.iterdir()) == ["adapter", "state"]
    stored = {}
    for path in (newest / "state").glob("*.safetensors"):
        stored |= load_file(path)
    adapter = {name: one for name, one in stored.items() if name.startswith("model.")}
    assert len(stored) == 3 * len(adapter) == 3 * 14
    assert all(".lora_" in name for name in stored)
    assert not any(name.startswith("muon.") for name in stored)


def test_the_model_is_the_base_with_the_adapter_merged_in_full_precision(done, base):
    _, _, out, result = done
    made, merged = load_checkpoint(result.model), merged_model(base, out / "adapter")
    for name, parameter in made.named_parameters():
        assert torch.equal(parameter, merged.get_parameter(name)), name
    before = load_checkpoint(base)
    changed = {
        name for name, one in made.named_parameters() if not torch.equal(one, before.get_parameter(name))
    }
    assert len(changed) == 7 and all(name.endswith("_proj.weight") for name in changed)


def test_the_model_answers_as_the_adapter_was_measured(done, base, data):
    settings, _, out, result = done
    whole = replace(
        settings, lora=0, lora_rate=0.0, four_bit=False, steps=1, vector_rate=0.0, matrix_rate=0.0
    )
    again = finetune(whole, result.model, data, out / "measured")
    slack = 0.02 if settings.four_bit else 1e-4  # measured over 4-bit weights, merged into the true ones
    assert again.heldout_before == pytest.approx(result.heldout_after, rel=slack)


def test_a_killed_run_continues_to_the_same_curve(done, base, data, tmp_path):
    settings, _, out, _ = done
    each = asdict(settings)
    command = [sys.executable, SCRIPT, json.dumps([each]), base, data.train[0], tmp_path, "2"]
    killed = subprocess.run(command, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    finetune(settings, base, FinetuneData(data.train), tmp_path / "0")
    assert losses(tmp_path / "0") == losses(out)


@pytest.fixture(scope="module")
def two(base, data, tmp_path_factory):
    """Both kinds of run by two processes: the folder of each."""
    out = tmp_path_factory.mktemp("two")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    each = json.dumps([asdict(settings) for settings in KINDS.values()])
    command = [*torchrun, SCRIPT, each, base, data.train[0], out, "0"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    return {settings: out / str(number) for number, settings in enumerate(KINDS.values())}


def test_two_processes_have_the_loss_of_one(done, two):
    assert losses(two[done[0]]) == pytest.approx(losses(done[2]), abs=1e-4)


def test_slices_over_processes_are_refused(base):
    with pytest.raises(BadInput, match="use --parallel ddp"):
        Trainee.open(QUICK, base, Processes(0, 2, torch.device("cpu"), "fsdp"))


def alone():
    return Processes(0, 1, torch.device("cpu"))


def test_frozen_weights_are_held_in_the_precision_of_the_work_and_change_no_number(base):
    ids = torch.arange(20)[None]
    half = Trainee.open(replace(QUICK, precision="bf16"), base, alone()).model
    full = load_checkpoint(base)
    assert half.model.layers[0].mlp.up_proj.base.weight.dtype == torch.bfloat16
    assert next(one for one in half.parameters() if one.requires_grad).dtype == torch.float32
    with torch.no_grad():
        assert torch.equal(half.hidden(ids, dtype=torch.bfloat16), full.hidden(ids, dtype=torch.bfloat16))


def test_an_adapter_is_trained_by_adamw_at_its_own_rate(base):
    optimiser = Trainee.open(replace(QUICK, lora_rate=0.0), base, alone()).optimiser()
    assert not optimiser.matrices and len(optimiser.others) == 14
    assert optimiser.settings.vector_rate == usual_rate(64)
    assert usual_rate(4096) == pytest.approx(2.9e-4, rel=0.02)


def test_only_the_layers_that_are_named_are_adapted(base):
    trainee = Trainee.open(replace(QUICK, lora_targets=("q_proj", "v_proj")), base, alone())
    assert len(list(trainee.part.parameters())) == 4
    assert "8 parameters" not in trainee.told() and "learns at rate 2.0e-02" in trainee.told()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lora": 0, "four_bit": True}, "weights in 4 bits cannot learn"),
        ({"lora": -1}, "lora is -1"),
        ({"lora": 0}, "lora_rate is given, but no adapter is trained"),
        ({"lora_alpha": 0.0}, "lora_alpha"),
        ({"lora_dropout": 1.0}, "lora_dropout"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(options, message):
    with pytest.raises(BadInput, match=message):
        replace(QUICK, **options)


def test_a_layer_that_is_not_there_is_refused_by_name(base):
    with pytest.raises(BadInput, match="no linear layer is called"):
        Trainee.open(replace(QUICK, lora_targets=("c_attn",)), base, alone())
