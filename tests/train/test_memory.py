"""What cannot fit is refused with the numbers; memory freed by one step is there for the next."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from nextword.common.errors import BadInput
from nextword.model.config import ModelConfig
from nextword.train.distributed import Processes
from nextword.train.memory import memory_of, refuse_beyond_memory, training_bytes
from nextword.train.pretrain import PretrainSettings, pretrain

ALONE = Processes(0, 1, torch.device("cpu"))

FAULTS = """
import resource
import torch
from nextword.train.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(9 << 20)  # 36 MiB, taken and freed; malloc asks the system for what is larger than 32
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(), keep_freed_memory(), faults(), faults())
"""


def test_large_blocks_are_reused_without_new_pages():
    run = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    before, is_kept, _, after = run.stdout.split()
    if is_kept == "False":
        pytest.skip("malloc here is not glibc's")
    assert int(after) < int(before) / 100


@pytest.mark.parametrize(
    ("settings", "depth"),
    [
        (PretrainSettings(batch=100_000), 2),
        (PretrainSettings(context=100_000_000), 2),
        (PretrainSettings(), 500),
        (PretrainSettings(batch=10**30), 10**6),
    ],
)
def test_what_no_machine_can_hold_is_refused_with_the_numbers(settings, depth):
    config = ModelConfig.of_depth(depth, 4096, settings.context)
    says = r"^[\d,]+ layers and [\d,]+ rows .* need at least .* GB for the model and .* GB for a step"
    with pytest.raises(BadInput, match=says + r", the memory here is [\d,.]+ GB; give less depth"):
        refuse_beyond_memory(settings, config, ALONE)


def test_the_defaults_and_a_large_batch_in_small_pieces_are_let_pass():
    config = ModelConfig.of_depth(2, 4096, 512)
    refuse_beyond_memory(PretrainSettings(), config, ALONE)
    refuse_beyond_memory(PretrainSettings(batch=4096, rows_at_once=1), config, ALONE)


def test_slices_of_a_model_need_a_part_of_it(monkeypatch):
    config = ModelConfig.of_depth(8, 4096, 512)
    monkeypatch.setattr("nextword.train.memory.memory_of", lambda device: 12 * config.num_parameters // 2)
    whole, sliced = (Processes(0, 4, torch.device("cpu"), parallel) for parallel in ("ddp", "fsdp"))
    small = PretrainSettings(batch=4, context=16)
    refuse_beyond_memory(small, config, sliced)
    with pytest.raises(BadInput, match="8 layers and 1 rows"):
        refuse_beyond_memory(small, config, whole)


def test_a_step_takes_no_less_than_is_said(tiny_config):
    """Counted by autograd itself: every tensor it keeps for the backward pass, once."""
    from nextword.model.llama import Llama
    from nextword.train.step import NextTokenLoss

    B, T = 4, 64
    config = replace(tiny_config, num_key_value_heads=4)
    model = Llama(config)
    kept: dict[int, int] = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.randint(0, 400, (B, T))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = NextTokenLoss(model)(ids, ids)
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    activations = sum(size for pointer, size in kept.items() if pointer not in weights)
    assert loss.isfinite()
    assert training_bytes(config, 0, B, T, itemsize=4).step <= activations


def test_the_machine_has_memory():
    assert memory_of(torch.device("cpu")) > 1 << 27


def test_a_run_that_cannot_fit_begins_nothing(settings, corpus, tmp_path):
    with pytest.raises(BadInput, match="need at least"):
        pretrain(replace(settings, batch=10**9), corpus.tokens, corpus.tokenizer, tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_a_run_without_text_begins_nothing(settings, corpus, tmp_path):
    with pytest.raises(BadInput):
        pretrain(settings, tmp_path / "tokens", corpus.tokenizer, tmp_path / "base")
    assert not (tmp_path / "base").exists()
