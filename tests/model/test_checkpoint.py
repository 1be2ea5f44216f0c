"""The checkpoint folder: what goes in comes out, and what is broken ends in one line naming it."""

from __future__ import annotations

import json
import random
import resource
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.model.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from nextword.model.config_file import end_tokens
from nextword.model.llama import Llama


@pytest.fixture
def folder(tiny_model, tiny_tokenizer_folder, tmp_path):
    save_checkpoint(tiny_model, tmp_path / "model", tokenizer=tiny_tokenizer_folder)
    return tmp_path / "model"


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(folder, change):
    """Rewrite the tensors as some other writer would, without our checksum."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_what_is_saved_is_what_is_loaded(folder, tiny_model):
    loaded = load_checkpoint(folder)
    assert loaded.config == tiny_model.config
    assert same_weights(loaded, tiny_model)
    ids = torch.arange(20)[None]
    assert torch.equal(loaded(ids), tiny_model(ids))


def test_the_tokenizer_travels_with_the_weights(folder, tiny_tokenizer_folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (folder / name).read_bytes() == (tiny_tokenizer_folder / name).read_bytes()


def test_a_sharded_folder_is_the_same_model(tiny_model, tmp_path):
    save_checkpoint(tiny_model, tmp_path / "model", max_shard_bytes=60_000)
    index = json.loads((tmp_path / "model/model.safetensors.index.json").read_text())
    files = sorted(path.name for path in (tmp_path / "model").glob("*.safetensors"))
    assert len(files) > 2
    assert sorted(set(index["weight_map"].values())) == files
    assert index["metadata"]["total_size"] == 4 * tiny_model.config.num_parameters
    assert same_weights(load_checkpoint(tmp_path / "model"), tiny_model)


def test_a_tied_head_is_stored_once_and_stays_tied(tiny_config, tmp_path):
    model = Llama(replace(tiny_config, tie_word_embeddings=True))
    model.initialise(0)
    save_checkpoint(model, tmp_path / "model")
    assert "lm_head.weight" not in load_file(tmp_path / "model/model.safetensors")
    loaded = load_checkpoint(tmp_path / "model")
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight


def test_a_tied_folder_that_repeats_the_embedding_as_head_opens(tiny_config, tmp_path):
    folder = tied_folder(tiny_config, tmp_path)
    edit_weights(folder, lambda tensors: tensors.update(repeated_head(tensors)))
    loaded = load_checkpoint(folder)
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight


def test_a_tied_folder_with_another_head_is_refused(tiny_config, tmp_path):
    folder = tied_folder(tiny_config, tmp_path)
    edit_weights(folder, lambda tensors: tensors.update({"lm_head.weight": torch.zeros(512, 64)}))
    with pytest.raises(BadInput, match=r"ties lm_head.weight to model.embed_tokens.weight, but they differ"):
        load_checkpoint(folder)


def tied_folder(config, tmp_path):
    model = Llama(replace(config, tie_word_embeddings=True))
    model.initialise(0)
    save_checkpoint(model, tmp_path / "model")
    return tmp_path / "model"


def repeated_head(tensors):
    return {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_can_be_stored_and_opened_in_half_precision(tiny_model, tmp_path, dtype):
    save_checkpoint(tiny_model, tmp_path / "model", dtype=dtype)
    assert json.loads((tmp_path / "model/config.json").read_text())["dtype"] == str(dtype)[6:]
    assert load_checkpoint(tmp_path / "model", dtype=None).lm_head.weight.dtype == dtype
    wide = load_checkpoint(tmp_path / "model")
    assert wide.lm_head.weight.dtype == torch.float32
    assert torch.equal(wide.lm_head.weight, tiny_model.lm_head.weight.to(dtype).float())


def test_rope_frequencies_stay_in_full_precision_whatever_the_weights(tiny_model, folder):
    loaded = load_checkpoint(folder, dtype=torch.bfloat16)
    assert torch.equal(loaded.frequencies, tiny_model.frequencies)


def test_a_state_dict_gathered_elsewhere_is_saved_alike(tiny_model, folder, tmp_path):
    tensors = dict(reversed(tiny_model.state_dict().items()))
    save_tensors(tiny_model.config, tensors, tmp_path / "gathered")
    assert same_weights(load_checkpoint(tmp_path / "gathered"), load_checkpoint(folder))


def test_a_loaded_model_can_be_trained_without_touching_the_file(folder):
    before = (folder / "model.safetensors").read_bytes()
    model = load_checkpoint(folder, dtype=None)
    model(torch.arange(9)[None]).sum().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.sub_(parameter.grad)
    assert (folder / "model.safetensors").read_bytes() == before


def test_old_folders_with_stored_rotary_frequencies_open(folder, tiny_model):
    extra = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)}
    edit_weights(folder, lambda tensors: tensors.update(extra))
    assert same_weights(load_checkpoint(folder), tiny_model)


def test_several_end_tokens_are_read_from_the_generation_config(folder):
    assert end_tokens(folder) == (481,)
    (folder / "generation_config.json").write_text('{"eos_token_id": [481, 487]}')
    assert end_tokens(folder) == (481, 487)


def test_a_missing_tensor_is_named_with_its_shape(folder):
    edit_weights(folder, lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"))
    with pytest.raises(BadInput, match=r"model.layers.1.mlp.up_proj.weight is missing, expected \(128, 64\)"):
        load_checkpoint(folder)


def test_an_unexpected_tensor_is_named(folder):
    extra = {"model.layers.0.self_attn.q_norm.weight": torch.ones(16)}
    edit_weights(folder, lambda tensors: tensors.update(extra))
    with pytest.raises(BadInput, match=r"layers.0.self_attn.q_norm.weight \(16,\) has no place"):
        load_checkpoint(folder)


def test_a_tensor_of_another_shape_is_named_with_both_shapes(folder):
    edit_config(folder, intermediate_size=96)
    with pytest.raises(
        BadInput, match=r"gate_proj.weight is \(128, 64\), config.json says \(96, 64\)"
    ) as error:
        load_checkpoint(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"num_hidden_layers": 2_000_000_000}, "layers.1999999999.input_layernorm.weight is missing"),
        ({"num_hidden_layers": 1}, "has no place"),
        ({"hidden_size": 2_000_000_000}, "model.embed_tokens.weight is"),
        ({"vocab_size": 513}, "model.embed_tokens.weight is"),
        (
            {"intermediate_size": 2**31 - 1, "head_dim": 2**31 - 2},
            "no tensor has such a shape|config.json says",
        ),
        ({"tie_word_embeddings": True}, "they differ"),
    ],
)
def test_a_config_that_does_not_fit_its_weights_is_refused_at_once(folder, changes, named):
    edit_config(folder, **changes)
    with pytest.raises(BadInput, match=named):
        load_checkpoint(folder, verify=False)


def test_a_config_altered_after_saving_is_noticed_even_where_shapes_fit(folder):
    edit_config(folder, rope_theta=20_000.0, rope_parameters=None)
    with pytest.raises(Corrupt, match="not as it was saved"):
        load_checkpoint(folder)
    assert load_checkpoint(folder, verify=False).config.rope_theta == 20_000.0


def test_a_longer_context_may_be_written_into_the_config(folder):
    edit_config(folder, max_position_embeddings=4096)
    assert load_checkpoint(folder).config.context == 4096


@pytest.mark.parametrize("keep", [0, 4, 100, 5000, -1])
def test_a_truncated_file_is_corrupt(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Corrupt, match=r"model.safetensors: not a whole safetensors file"):
        load_checkpoint(folder)


def test_every_flipped_bit_of_the_weights_is_noticed(folder):
    path, dice = folder / "model.safetensors", random.Random(7)
    whole = path.read_bytes()
    payload = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(20):
        place = dice.randrange(payload, len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << dice.randrange(8)]) + whole[place + 1 :])
        with pytest.raises(Corrupt, match="checksum"):
            load_checkpoint(folder)


def test_a_flipped_bit_of_the_header_ends_in_one_line_or_changes_nothing(folder, tiny_model):
    path, dice = folder / "model.safetensors", random.Random(8)
    whole = path.read_bytes()
    payload = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(150):
        place = dice.randrange(payload)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << dice.randrange(8)]) + whole[place + 1 :])
        try:
            loaded = load_checkpoint(folder)
        except BadInput as error:
            assert "\n" not in str(error)
        else:
            assert same_weights(loaded, tiny_model)


def test_a_flipped_bit_of_the_config_ends_in_one_line_or_changes_nothing(folder, tiny_model):
    path, dice = folder / "config.json", random.Random(9)
    whole = path.read_bytes()
    free = {"max_position_embeddings": 0, "bos_token_id": 0, "eos_token_id": 0}
    for _ in range(300):
        place = dice.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << dice.randrange(8)]) + whole[place + 1 :])
        try:
            loaded = load_checkpoint(folder)
        except BadInput as error:
            assert "\n" not in str(error)
        else:
            assert vars(loaded.config) | free == vars(tiny_model.config) | free


def test_a_missing_shard_is_named(tiny_model, tmp_path):
    save_checkpoint(tiny_model, tmp_path / "model", max_shard_bytes=60_000)
    lost = sorted((tmp_path / "model").glob("*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(BadInput, match=f"{lost.name}: no such file"):
        load_checkpoint(tmp_path / "model")


@pytest.mark.parametrize("index", ["{", "[]", '{"weight_map": 3}', '{"weight_map": {"a": 1}}'])
def test_a_broken_index_is_corrupt(folder, index):
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(Corrupt, match=r"index.json"):
        load_checkpoint(folder)


def test_an_index_cannot_point_outside_its_folder(folder):
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../secret.safetensors"}}')
    with pytest.raises(BadInput, match="not a file of this folder"):
        load_checkpoint(folder)


def test_pickled_weights_are_not_opened(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BadInput, match="pickled"):
        load_checkpoint(folder)


def test_weights_of_another_kind_than_floats_are_refused(folder):
    weird = {"model.norm.weight": torch.ones(64, dtype=torch.int8)}
    edit_weights(folder, lambda tensors: tensors.update(weird))
    with pytest.raises(BadInput, match=r"model.norm.weight is torch.int8"):
        load_checkpoint(folder)


def test_a_folder_that_is_not_there_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match=r"nothing/config.json: no such file"):
        load_checkpoint(tmp_path / "nothing")


def test_a_full_disk_leaves_the_previous_folder_whole(folder, tiny_model):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(Failure, match="cannot be written"):
            save_checkpoint(tiny_model, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(folder.parent.iterdir()) == [folder]
