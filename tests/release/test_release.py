"""The stage: a run folder, or any checkpoint folder, becomes the two files and a card."""

import json
import subprocess
from pathlib import Path

import pytest
import torch

from nextword.common.errors import BadInput, Corrupt
from nextword.release import inspect
from nextword.release.release import ReleaseSettings, find_checkpoint, release
from nextword.runner.build import SOURCE


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch):
    """Compiling takes seconds, and one test is enough to show that it is done."""
    monkeypatch.setenv("CC", "no-such-compiler")


def test_both_files_run_and_a_card_are_written(folder, tmp_path, need, monkeypatch):
    monkeypatch.setenv("CC", str(need("cc")))
    made = release(ReleaseSettings(type="f16", name="my model"), folder, tmp_path)
    assert made.gguf == tmp_path / "my-model.gguf" and made.notes == ()
    assert made.source.read_bytes() == SOURCE.read_bytes()
    command = [made.program, made.gguf, "-p", "the word", "-n", "4", "-t", "0", "--threads", "1"]
    assert subprocess.run(command, capture_output=True, check=True).stdout
    assert "# my-model" in made.card.read_text()


def test_the_result_counts_what_the_model_has(folder, folders, tmp_path):
    made = release(ReleaseSettings(type="F32"), folder, tmp_path)
    assert made.parameters == folders.CASES["llama-tied"].num_parameters


def test_without_a_compiler_the_files_are_there_and_a_line_says_how_to_build(folder, tmp_path):
    made = release(ReleaseSettings(), folder, tmp_path)
    assert made.gguf.exists() and made.source.exists() and made.program is None
    assert "no C compiler (no-such-compiler)" in made.notes[0] and "cc -O3" in made.notes[0]


def test_a_qwen_folder_has_its_file_and_is_sent_to_llama_cpp(folders, tmp_path):
    folder = folders.write_folder(tmp_path / "qwen", folders.CASES["qwen3"])
    made = release(ReleaseSettings(), folder, tmp_path / "out")
    assert inspect(made.gguf).keys["general.architecture"] == "qwen3"
    assert made.source is None and "run.c runs the llama architecture, not qwen3" in made.notes[0]
    assert "## The file\n" in made.card.read_text()


def test_rows_that_do_not_divide_are_named_in_a_note(folders, tmp_path):
    odd = type(folders.CASES["qwen2"])(**folders.SMALL | {"intermediate_size": 80})
    folder = folders.write_folder(tmp_path / "odd", odd)
    made = release(ReleaseSettings(type="Q8_0"), folder, tmp_path / "out")
    assert made.notes[0] == "2 tensors have rows that do not divide into blocks of 32 and are F16"


def test_a_sliding_window_limits_the_context(folders, tmp_path):
    windowed = type(folders.CASES["qwen2"])(**folders.SMALL | {"sliding_window": 100})
    made = release(ReleaseSettings(), folders.write_folder(tmp_path / "m", windowed), tmp_path / "out")
    assert inspect(made.gguf).keys["llama.context_length"] == 100
    assert "context is 100 tokens, the sliding window" in made.notes[0]


def test_a_run_folder_gives_its_name_and_is_found_from_inside(folder, tmp_path):
    run = tmp_path / "python-docs"
    model = run / "base" / "model"
    model.parent.mkdir(parents=True)
    model.symlink_to(folder)
    for place in (run, run / "base"):
        assert find_checkpoint(place) == (place / "model" if place.name == "base" else model, run)
    assert release(ReleaseSettings(), run, run / "release").gguf == run / "release" / "python-docs.gguf"


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"no model here .*; name a run folder"):
        release(ReleaseSettings(), tmp_path, tmp_path / "out")


def test_an_unknown_type_is_refused_before_anything_is_begun():
    with pytest.raises(BadInput, match="unknown tensor type 'Q3_K'; choose from F32"):
        ReleaseSettings(type="Q3_K")


@pytest.mark.parametrize(("name", "size"), [("a" * 400, 400), ("가" * 67, 201)])
def test_a_name_too_long_for_a_file_is_refused(name, size):
    with pytest.raises(BadInput, match=f"takes {size} bytes, too many for a file's; give a --name of at"):
        ReleaseSettings(name=name)


def test_a_name_may_be_as_long_as_it_says(folder, tmp_path):
    made = release(ReleaseSettings(name="a" * 200), folder, tmp_path)
    assert made.gguf.stat().st_size > 0


def test_a_folder_whose_name_is_too_long_for_a_file_is_sent_to_name(folder, tmp_path):
    model = copy_with(folder, tmp_path / ("b" * 220), "none", b"")
    with pytest.raises(BadInput, match="give a --name"):
        release(ReleaseSettings(), model, tmp_path / "out")


def test_a_place_where_no_folder_can_be_made_is_one_clear_line(folder, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "within"):
        with pytest.raises(BadInput, match=f"{out}: no folder can be made here .*; choose another --out"):
            release(ReleaseSettings(), folder, out)
    assert (tmp_path / "file").read_text() == "mine"


def copy_with(folder: Path, to: Path, name: str, data: bytes) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(data if file.name == name else file.read_bytes())
    return to


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_truncated_file_is_refused_and_the_previous_release_stays(folder, tmp_path, name):
    out = tmp_path / "out"
    before = release(ReleaseSettings(name="m"), folder, out).gguf.read_bytes()
    broken = copy_with(folder, tmp_path / "broken", name, (folder / name).read_bytes()[:-200])
    with pytest.raises(Corrupt, match=name):
        release(ReleaseSettings(name="m"), broken, out)
    assert (out / "m.gguf").read_bytes() == before


def test_a_config_that_does_not_fit_its_weights_is_refused(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text()) | {"intermediate_size": 128}
    broken = copy_with(folder, tmp_path / "broken", "config.json", json.dumps(config).encode())
    with pytest.raises(BadInput, match=r"mlp\.\w+_proj\.weight is \(\d+, \d+\), config\.json says"):
        release(ReleaseSettings(), broken, tmp_path / "out")


def test_weights_that_are_not_numbers_are_refused_by_name(folders, tmp_path):
    from nextword.model.checkpoint import save_checkpoint

    model = folders.seeded_model(folders.CASES["llama-tied"])
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 4] = float("nan")
    tokenizer = folders.write_tokenizer(tmp_path / "tokenizer")
    save_checkpoint(model, tmp_path / "diverged", tokenizer)
    with pytest.raises(BadInput, match=r"blk\.1\.ffn_up\.weight: holds values that are not numbers"):
        release(ReleaseSettings(), tmp_path / "diverged", tmp_path / "out")
