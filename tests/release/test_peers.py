"""The peers themselves: llama.cpp still gives the stored answers; a folder by transformers runs in run.c.

Slow: needs `make peers`.
"""

import json
import subprocess
from pathlib import Path

import pytest

from nextword.common.progress import Progress
from nextword.release import inspect
from nextword.release.parameters import write_parameters
from nextword.release.release import ReleaseSettings, release
from nextword.runner.library import RunC

CLOSE = 1e-3
HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ask(need):
    python = need(".peers/llama/bin/python")

    def question(**values):
        command = [str(python), str(HERE / "llama_cpp_peer.py")]
        run = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=True)
        return json.loads(run.stdout)

    return question


@pytest.fixture(params=["llama-tied", "llama3", "qwen2", "qwen3"])
def case(request):
    return request.param


@pytest.fixture
def gguf(case, folders, tmp_path):
    folders.write_folder(tmp_path / case, folders.CASES[case])
    write_parameters(tmp_path / case, tmp_path / "a.gguf", "F32", Progress(case))
    return str(tmp_path / "a.gguf")


def stored(case):
    return json.loads((HERE / "golden" / case / "llama_cpp.json").read_text())


def test_greedy_text_is_the_stored_one(ask, case, gguf, folders):
    found = ask(ask="greedy", gguf=gguf, context=256, prompt=folders.PROMPT, count=128)
    assert found["ids"] == stored(case)["greedy"]["ids"]


def test_token_ids_are_those_of_our_tokenizer_on_strings_of_many_scripts(ask, gguf, folders, tmp_path):
    from nextword.tokenizer.tokenizer import Tokenizer

    texts = [
        text.replace("\0", "") for text in folders.strings(2000)
    ]  # its binding ends a text at a zero byte
    tokenizer = Tokenizer.load(folders.write_tokenizer(tmp_path / "tokenizer"))
    found = ask(ask="tokenize", gguf=gguf, texts=texts)["ids"]
    assert [ids for ids, text in zip(found, texts, strict=True) if ids != tokenizer.encode(text)] == []


def test_quantisers_give_the_stored_bits(ask):
    golden = json.loads((HERE / "golden" / "quantise.json").read_text())
    found = ask(ask="quantise", seed=golden["seed"], rows=golden["rows"], columns=256)
    assert {name: golden[name] for name in found} == found


def test_a_sharded_scaled_folder_made_by_transformers_writes_the_same_text_in_run_c(need, folders, tmp_path):
    need("cc")
    python = need(".peers/transformers/bin/python")
    scaling = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0}
    scaling |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    shape = folders.SMALL | {"num_key_value_heads": 2, "rope_parameters": scaling}
    command = [python, HERE / "transformers_peer.py", tmp_path / "theirs", json.dumps(shape)]
    command += [json.dumps(folders.PROMPT), "128"]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 1
    folders.write_tokenizer(tmp_path / "theirs")
    made = release(ReleaseSettings(type="F32"), tmp_path / "theirs", tmp_path / "out")
    assert "rope_freqs.weight" in {tensor.name for tensor in inspect(made.gguf).tensors}
    ids, start = answer["ids"], len(folders.PROMPT)
    with RunC.open(made.gguf, pages=1, page_size=256, threads=1) as runner:
        logits = runner.decode(ids, range(len(ids)), [[0]], [True] * len(ids))
    for chosen, wanted, gap in zip(
        logits[start - 1 : -1].argmax(-1), ids[start:], answer["gaps"], strict=True
    ):
        assert chosen == wanted or gap < CLOSE
