"""The adapter folder: peft's own answer as they do there, ours come back, broken ones are named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from nextword.common.errors import BadInput, Corrupt, NextwordError
from nextword.model.adapter import load_adapter, merged_model, save_adapter
from nextword.model.checkpoint import load_checkpoint
from nextword.model.four_bit import to_four_bit
from nextword.model.lora import TARGETS, LoraConfig, adapted_layers, adapter, add_lora

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
CASES = sorted((GOLDEN / "adapter").iterdir())
BASE = GOLDEN / "llama"
EVERY = GOLDEN / "adapter" / "every-layer"
IDS = torch.arange(10)[None]


def base_of(folder):
    return GOLDEN / json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]


def learnt(base=BASE, config=LoraConfig(rank=2, alpha=4), seed=1):  # noqa: B008 (frozen)
    model = load_checkpoint(base)
    add_lora(model, config, seed)
    with torch.no_grad():
        for _, layer in adapted_layers(model):
            layer.lora_B.weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(seed))
    return model


@pytest.fixture
def theirs(tmp_path):
    return Path(shutil.copytree(EVERY, tmp_path / "theirs"))


def edit(folder, **changes):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_an_adapter_made_by_peft_answers_as_it_does_there(folder):
    model, base = load_checkpoint(base_of(folder)), base_of(folder)
    load_adapter(model, folder)
    ids = load_file(base / "expected.safetensors")["ids"].long()
    expected = load_file(folder / "expected.safetensors")["logits"]
    assert torch.allclose(model(ids), expected, atol=1e-4, rtol=0)
    assert torch.allclose(merged_model(base, folder)(ids), expected, atol=1e-4, rtol=0)


def test_every_case_of_peft_is_stored():
    assert [folder.name for folder in CASES] == ["by-root", "every-layer", "one-layer", "with-the-head"]


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_names_shapes_and_settings_are_those_of_peft(folder, tmp_path):
    model = load_checkpoint(base_of(folder))
    load_adapter(model, folder)
    save_adapter(model, tmp_path / "ours", base_of(folder).name)
    ours, theirs = (
        {name: tensor.shape for name, tensor in load_file(one / "adapter_model.safetensors").items()}
        for one in (tmp_path / "ours", folder)
    )
    assert ours == {name: shape for name, shape in theirs.items() if ".base_layer." not in name}
    written, read = (
        json.loads((one / "adapter_config.json").read_text()) for one in (tmp_path / "ours", folder)
    )
    if folder.name != "one-layer":  # theirs says it by a number and a suffix, ours by the whole name
        assert set(written.pop("target_modules")) == set(read["target_modules"])
    assert {name: read[name] for name in written if name != "target_modules"} == {
        name: value for name, value in written.items() if name != "target_modules"
    }


def test_what_is_saved_comes_back(tmp_path):
    model = learnt()
    save_adapter(model, tmp_path / "adapter", BASE)
    again = load_checkpoint(BASE)
    load_adapter(again, tmp_path / "adapter")
    assert torch.equal(again(IDS), model(IDS))
    assert next(adapted_layers(again))[1].config.scaling == next(adapted_layers(model))[1].config.scaling
    assert all(one.requires_grad for one in adapter(again).parameters())


def test_an_adapter_over_four_bit_weights_is_merged_into_the_true_ones(tmp_path):
    over = to_four_bit(load_checkpoint(BASE), torch.device("cpu"), torch.float32)
    add_lora(over, LoraConfig(rank=2, alpha=4), seed=1)
    with torch.no_grad():
        for _, layer in adapted_layers(over):
            layer.lora_B.weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    save_adapter(over, tmp_path / "adapter", BASE)
    assert torch.allclose(merged_model(BASE, tmp_path / "adapter")(IDS), learnt()(IDS), atol=1e-4)


def test_a_merged_model_is_a_plain_one_that_a_checkpoint_can_hold(tmp_path):
    save_adapter(learnt(), tmp_path / "adapter", BASE)
    merged = merged_model(BASE, tmp_path / "adapter")
    assert set(merged.state_dict()) == set(load_checkpoint(BASE).state_dict())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "IA3"}, "its kind is 'IA3'"),
        ({"use_dora": True}, "use_dora is True"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa'"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"r": "2"}, "are not numbers"),
        ({"r": True}, "are not numbers"),
        ({"lora_alpha": None}, "are not numbers"),
        ({"r": 4}, r"lora_A is \(2, 32\), expected \(4, 32\)"),
        ({"r": 0}, "rank 0"),
    ],
)
def test_a_setting_that_changes_the_numbers_is_refused_by_name(theirs, changes, message):
    edit(theirs, **changes)
    with pytest.raises(BadInput, match=message):
        load_adapter(load_checkpoint(BASE), theirs)


def test_an_adapter_of_another_model_is_refused(theirs):
    with pytest.raises(BadInput, match="is it of another base model"):
        load_adapter(load_checkpoint(GOLDEN / "qwen3"), theirs)
    with pytest.raises(BadInput, match="lm_head is one with the embedding"):
        load_adapter(load_checkpoint(GOLDEN / "qwen2"), GOLDEN / "adapter" / "with-the-head")


def test_a_head_that_was_trained_over_another_is_refused(tmp_path):
    folder = Path(shutil.copytree(GOLDEN / "adapter" / "with-the-head", tmp_path / "one"))
    tensors = load_file(folder / "adapter_model.safetensors")
    tensors["base_model.model.lm_head.base_layer.weight"] += 1
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(BadInput, match="trained over another lm_head"):
        load_adapter(load_checkpoint(BASE), folder)


def test_pickled_weights_are_not_opened(theirs):
    (theirs / "adapter_model.safetensors").rename(theirs / "adapter_model.bin")
    with pytest.raises(BadInput, match="pickled"):
        load_adapter(load_checkpoint(BASE), theirs)


def test_a_cut_file_is_corrupt_and_a_missing_one_is_named(theirs):
    path = theirs / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(Corrupt, match="not a whole safetensors file"):
        load_adapter(load_checkpoint(BASE), theirs)
    path.unlink()
    with pytest.raises(BadInput, match="no such file"):
        load_adapter(load_checkpoint(BASE), theirs)


@pytest.mark.parametrize("lost", ["lora_A", "lora_B"])
def test_a_factor_without_its_other_is_refused(theirs, lost):
    tensors = load_file(theirs / "adapter_model.safetensors")
    name = f"base_model.model.model.layers.0.mlp.up_proj.{lost}.weight"
    del tensors[name]
    save_file(tensors, theirs / "adapter_model.safetensors")
    with pytest.raises(BadInput, match=f"up_proj.{lost} is missing"):
        load_adapter(load_checkpoint(BASE), theirs)


def test_tensors_that_are_no_adapter_are_refused(theirs):
    save_file({"model.norm.weight": torch.ones(2)}, theirs / "adapter_model.safetensors")
    with pytest.raises(BadInput, match="is not of a LoRA adapter"):
        load_adapter(load_checkpoint(BASE), theirs)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60)
@given(
    name=st.sampled_from(sorted(json.loads((EVERY / "adapter_config.json").read_text()))), value=json_values
)
def test_any_value_in_the_settings_loads_or_ends_in_one_line(name, value, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "adapter"
    shutil.copytree(EVERY, folder)
    edit(folder, **{name: value})
    try:
        load_adapter(load_checkpoint(BASE), folder)
    except NextwordError as error:
        assert "\n" not in str(error)


@pytest.mark.slow
def test_the_real_peft_opens_ours_merges_it_alike_and_still_makes_the_stored_ones(need, tmp_path):
    python = need(".peers/peft/bin/python")
    cases = {
        "every": ("llama", LoraConfig(rank=3, alpha=5)),
        "head": ("llama", LoraConfig(rank=2, targets=(*TARGETS, "lm_head"))),
        "root": ("qwen2", LoraConfig(rank=2, alpha=7, targets=("q_proj", "o_proj"), by_root=True)),
        "qwen3": ("qwen3", LoraConfig(rank=1, targets=("down_proj",))),
    }
    for name, (base, config) in cases.items():
        save_adapter(learnt(GOLDEN / base, config), tmp_path / name, base)
        save_file({"logits": learnt(GOLDEN / base, config)(IDS).detach()}, tmp_path / f"{name}.safetensors")
        bases = {name: str(GOLDEN / base) for name, (base, _) in cases.items()}
    # one layer of two, as theirs
    some = load_checkpoint(GOLDEN / "qwen3")
    load_adapter(some, GOLDEN / "adapter" / "one-layer")
    save_adapter(some, tmp_path / "one", "qwen3")
    save_file({"logits": some(IDS).detach()}, tmp_path / "one.safetensors")
    bases["one"] = str(GOLDEN / "qwen3")
    run = subprocess.run(
        [python, HERE / "adapter_peer.py", tmp_path, json.dumps(bases)],
        capture_output=True,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    assert [one["case"] for one in found] == list(bases)
    for one in found:
        assert max(one["unmerged"], one["merged"]) < 1e-3 and one["adapted"] > 0.01, one
        assert one["missing"] == [], one


@pytest.mark.slow
def test_peft_and_bitsandbytes_still_make_what_is_stored(need, tmp_path):
    python = need(".peers/peft/bin/python")
    command = [python, HERE / "make_adapter_golden.py", tmp_path]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    for path in sorted(tmp_path.rglob("*.safetensors")):
        stored = load_file(GOLDEN / path.relative_to(tmp_path))
        made = load_file(path)
        assert made.keys() == stored.keys()
        assert all(torch.allclose(made[name].float(), stored[name].float(), atol=1e-5) for name in made)


def test_merging_needs_no_settings_of_the_training(tmp_path):
    config = LoraConfig(rank=2, alpha=4, dropout=0.3)
    save_adapter(learnt(config=config), tmp_path / "adapter", BASE)
    expected = learnt(config=replace(config, dropout=0.0))(IDS)
    assert torch.allclose(merged_model(BASE, tmp_path / "adapter")(IDS), expected, atol=1e-4)
