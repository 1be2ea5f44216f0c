"""Two real processes under torchrun, over gloo: the same run as one process gives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from nextword.common.errors import BadInput, Missing
from nextword.train.distributed import Processes, choose_device, joined
from nextword.train.metrics import Metrics
from nextword.train.pretrain import pretrain

SCRIPT = Path(__file__).with_name("run_pretrain.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
KINDS = ("ddp", "fsdp")


@pytest.fixture(scope="module")
def two(corpus, tmp_path_factory):
    """Runs of two processes, by kind, and their settings."""
    from nextword.train.pretrain import PretrainSettings

    settings = PretrainSettings(
        steps=6,
        depth=2,
        batch=4,
        context=64,
        precision="fp32",
        compile="off",
        device="cpu",
        quick_tokens=200,
        final_tokens=400,
        sample_tokens=4,
        rows_at_once=1,
        keep=9,
    )
    out = tmp_path_factory.mktemp("two")
    each = json.dumps([asdict(replace(settings, parallel=kind)) for kind in KINDS])
    command = [*TORCHRUN, str(SCRIPT), each, str(corpus.tokens), str(corpus.tokenizer), str(out)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=SCRIPT.parents[2])
    assert run.returncode == 0, run.stderr
    return settings, {kind: out / str(number) for number, kind in enumerate(KINDS)}


@pytest.fixture(scope="module")
def one(two, corpus, tmp_path_factory):
    """The same run on one process."""
    out = tmp_path_factory.mktemp("one")
    pretrain(two[0], corpus.tokens, corpus.tokenizer, out)
    return out


def losses(out: Path) -> list[float]:
    return [line["loss"] for line in Metrics(out / "metrics.jsonl").lines("step")]


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_have_the_loss_of_one(two, one, kind):
    assert losses(two[1][kind]) == pytest.approx(losses(one), abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_clip_by_the_norm_of_the_whole_gradient(two, one, kind):
    norms = [
        [line["gradient_norm"] for line in Metrics(out / "metrics.jsonl").lines("step")]
        for out in (two[1][kind], one)
    ]
    assert norms[0] == pytest.approx(norms[1], rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_evaluate_to_the_same_bits_per_byte(two, one, kind):
    ours, alone = (
        [line["bits_per_byte"] for line in Metrics(out / "metrics.jsonl").lines("final")]
        for out in (two[1][kind], one)
    )
    assert ours == pytest.approx(alone, abs=1e-4)


def test_shards_of_the_state_join_to_the_very_weights_of_the_model_folder(two):
    from nextword.model.checkpoint import load_checkpoint
    from nextword.model.llama import Llama
    from nextword.train.training_state import load_state

    folder = two[1]["fsdp"] / "checkpoints" / "step-000006"
    assert len(list((folder / "state").glob("*.safetensors"))) == 2
    model = load_checkpoint(folder / "model")
    empty = Llama(model.config)
    tensors = {f"model.{name}": parameter.detach() for name, parameter in empty.named_parameters()}
    load_state(folder / "state", tensors, Processes(0, 1, torch.device("cpu")))
    for (name, whole), mine in zip(model.named_parameters(), empty.parameters(), strict=True):
        assert torch.equal(whole, mine), name


@pytest.fixture(scope="module")
def longer(two, corpus, tmp_path_factory):
    """A longer run of one process from its beginning; the short runs' warm-up was one step."""
    out = tmp_path_factory.mktemp("longer")
    settings = replace(two[0], steps=9, warmup=1)
    pretrain(settings, corpus.tokens, corpus.tokenizer, out)
    return settings, out


@pytest.mark.parametrize("kind", KINDS)
def test_one_process_continues_what_two_began(two, longer, corpus, tmp_path, kind):
    settings, whole = longer
    shutil.copytree(two[1][kind], tmp_path / "continued")
    settings = replace(settings, parallel=kind, warmup=two[0].warmup)
    pretrain(settings, corpus.tokens, corpus.tokenizer, tmp_path / "continued")
    assert losses(tmp_path / "continued") == pytest.approx(losses(whole), abs=1e-4)


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(BadInput, match="a batch of 3 rows does not divide among 2 processes"):
        Processes(0, 2, torch.device("cpu")).share_of(3)


def test_without_torchrun_there_is_one_process():
    with joined("cpu") as processes:
        assert (processes.rank, processes.world, processes.is_first) == (0, 1, True)


def test_devices_are_chosen_by_name_or_by_what_is_there():
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(BadInput, match="unknown device 'tpu'"):
        choose_device("tpu")


def test_a_device_that_is_not_there_is_missing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Missing, match="no cuda device on this machine"):
        choose_device("cuda")
