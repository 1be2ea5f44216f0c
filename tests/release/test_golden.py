"""Our GGUF beside llama.cpp's converter and llama.cpp itself, from what they answered to `make_golden.py`."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

from nextword.common.progress import Progress
from nextword.release import inspect
from nextword.release.parameters import write_parameters
from nextword.tokenizer.tokenizer import Tokenizer

GOLDEN = Path(__file__).parent / "golden"
CASES = ["llama-tied", "llama3", "qwen2", "qwen3"]
OURS = {"nextword.data_sha256", "general.alignment"}
OURS |= {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.add_bos_token"}
"""Keys that we write and the converter does not."""
THEIRS = {"general.size_label", "general.name"}
"""A label it guesses from the folder's name, and the name itself."""
EXPLICIT = {"vocab_size", "rope.dimension_count", "attention.key_length", "attention.value_length"}
"""Shape keys that we always write; it leaves out what follows from others."""
CLOSE = 1e-3
"""Two best logits nearer than this may change places."""


def golden(case, name):
    return json.loads((GOLDEN / case / f"{name}.json").read_text())


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def released(case, folders, tmp_path_factory):
    place = tmp_path_factory.mktemp(case)
    folders.write_folder(place / case, folders.CASES[case])
    for type in ("F32", "Q8_0"):
        write_parameters(place / case, place / f"{type}.gguf", type, Progress(case))
    return place


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
def test_tensors_are_bit_for_bit_those_of_the_converter(case, released, kind):
    path = released / f"{kind}.gguf"
    data = path.read_bytes()
    ours = {
        tensor.name: [
            tensor.type.name,
            list(tensor.shape),
            hashlib.sha256(data[tensor.offset : tensor.offset + tensor.size]).hexdigest(),
        ]
        for tensor in inspect(path).tensors
    }
    theirs = golden(case, f"converter-{kind.lower()}")["tensors"]
    for factors in (ours, theirs):  # computed in another precision; test_architecture.py has their values
        factors.get("rope_freqs.weight", [""]).pop()
    assert ours == theirs


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
def test_keys_are_those_of_the_converter(case, released, kind):
    theirs = golden(case, f"converter-{kind.lower()}")["keys"]
    ours = {}
    for name, value in inspect(released / f"{kind}.gguf").keys.items():
        text = json.dumps(value)
        ours[name] = value if len(text) < 100 else "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    for name in ours.keys() - theirs.keys() - OURS:
        assert name.partition(".")[2] in EXPLICIT, f"{name} is unknown to the converter"
    assert {name for name in theirs if name not in ours} <= THEIRS
    shared = ours.keys() & theirs.keys() - THEIRS
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}


def test_greedy_text_from_torch_is_that_of_llama_cpp_reading_our_file(case, folders):
    answer = golden(case, "llama_cpp")["greedy"]
    model = folders.seeded_model(folders.CASES[case])
    ids = [*folders.PROMPT, *answer["ids"]]
    with torch.no_grad():
        best = model(torch.tensor([ids]))[0, len(folders.PROMPT) - 1 : -1].argmax(-1).tolist()
    for place, (ours, theirs, gap) in enumerate(zip(best, answer["ids"], answer["gaps"], strict=True)):
        assert ours == theirs or gap < CLOSE, f"token {place}: {ours} and {theirs}, {gap} apart"


def test_token_ids_are_those_of_llama_cpp_reading_our_file(case, folders, tmp_path):
    tokenizer = Tokenizer.load(folders.write_tokenizer(tmp_path))
    answer = golden(case, "llama_cpp")["tokenize"]
    assert [tokenizer.encode(text) for text in answer["texts"]] == answer["ids"]
