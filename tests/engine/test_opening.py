"""The one door: what it opens, and the line it says when it cannot."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import nextword.engine as engine
from nextword.common.errors import BadInput, Corrupt, Missing
from nextword.common.language_model import Request, Sampling
from nextword.model.checkpoint import save_checkpoint

GREEDY = Sampling(temperature=0, max_new_tokens=10)


@pytest.fixture
def folder(tiny_model, tiny_tokenizer_folder, tmp_path):
    save_checkpoint(tiny_model, tmp_path / "model", tokenizer=tiny_tokenizer_folder)
    return tmp_path / "model"


def ids(model, heard):
    return heard(model.generate([Request("def", GREEDY, id="r")])).ids["r"]


def test_a_checkpoint_folder_opens_as_the_model_it_was(folder, model, heard):
    opened = engine.open(folder, device="cpu")
    assert ids(opened, heard) == ids(model, heard)
    assert opened.ends == model.ends == {481, 487}


def test_a_run_folder_opens_its_newest_model(folder, tmp_path, model, heard):
    (tmp_path / "run/base").mkdir(parents=True)
    folder.rename(tmp_path / "run/base/model")
    assert ids(engine.open(tmp_path / "run", device="cpu"), heard) == ids(model, heard)
    assert ids(engine.open(tmp_path / "run/base", device="cpu"), heard) == ids(model, heard)


def test_bf16_opens_too(folder, heard):
    assert len(ids(engine.open(folder, device="cpu", precision="bf16"), heard)) == 10


def test_a_fake_opens_without_a_file(heard):
    assert heard(engine.open("fake:so be it").generate([Request("x", id="r")])).text == {"r": "so be it"}
    assert heard(engine.open("fake:").generate([Request("echo", id="r")])).text == {"r": "echo"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file or folder"),
        (lambda path: path.mkdir(), "has no config.json"),
        (lambda path: path.write_text("text"), "not a model we open"),
        (os.mkfifo, "is no regular file"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(tmp_path, make, message):
    make(tmp_path / "thing")
    with pytest.raises(BadInput, match=message):
        engine.open(tmp_path / "thing")


def test_a_gguf_file_is_no_folder_to_train(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    with pytest.raises(BadInput, match="can be run, not trained"):
        engine.model_folder(tmp_path / "m.gguf")


def test_an_unknown_device_or_precision_is_refused(folder):
    with pytest.raises(BadInput, match="no device is called 'abacus'"):
        engine.open(folder, device="abacus")
    with pytest.raises(BadInput, match="no precision is called 'fp3'; choose fp32 or bf16"):
        engine.open(folder, precision="fp3")


def test_an_absent_device_is_missing(folder):
    import torch

    if torch.cuda.is_available():
        absent = "mps"
    else:
        absent = "cuda"
    with pytest.raises(Missing, match=f"no {absent} device here; choose cpu"):
        engine.open(folder, device=absent)


def test_a_damaged_tokenizer_is_corrupt(folder):
    (folder / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes()[:100])
    with pytest.raises(Corrupt, match=r"tokenizer.json"):
        engine.open(folder, device="cpu")


@pytest.mark.parametrize("wrong", ['"abc"', "[481, null]", "[true]", "4.5", "{}"])
def test_an_end_of_text_that_is_no_token_is_refused_by_file_and_field(folder, wrong):
    (folder / "generation_config.json").write_text(f'{{"eos_token_id": {wrong}}}')
    with pytest.raises(BadInput, match=r"generation_config\.json: eos_token_id is .*, expected"):
        engine.open(folder, device="cpu")


def test_a_generation_config_that_is_no_object_is_corrupt(folder):
    (folder / "generation_config.json").write_text("[]")
    with pytest.raises(Corrupt, match=r"generation_config\.json: not a JSON object"):
        engine.open(folder, device="cpu")


def test_without_an_end_in_the_generation_config_the_configs_counts(folder, model):
    (folder / "generation_config.json").write_text('{"eos_token_id": -1}')
    assert engine.open(folder, device="cpu").ends == model.ends


def test_importing_the_engine_and_opening_a_fake_loads_no_torch():
    code = "import sys, nextword.engine as e; e.open('fake:'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
