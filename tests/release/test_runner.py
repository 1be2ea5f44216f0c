"""One model, three programs: what torch computes, run.c computes from the file."""

import json
import math
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nextword.common.progress import Progress
from nextword.model.checkpoint import save_checkpoint
from nextword.model.config import ModelConfig
from nextword.release.parameters import write_parameters
from nextword.runner.build import SOURCE, build
from nextword.runner.library import RunC
from nextword.tokenizer.tokenizer import Tokenizer

GOLDEN = Path(__file__).parent / "golden"
CLOSE = 1e-3


@pytest.fixture(scope="module", params=["llama-tied", "llama3"])
def case(request):
    return request.param


@pytest.fixture(scope="module")
def gguf(case, folders, tmp_path_factory, need):
    need("cc")
    place = tmp_path_factory.mktemp(case)
    folders.write_folder(place / case, folders.CASES[case])
    write_parameters(place / case, place / "model.gguf", "F32", Progress(case))
    return place / "model.gguf"


@pytest.fixture(scope="module")
def program(tmp_path_factory, need) -> Path:
    need("cc")
    return build(SOURCE, tmp_path_factory.mktemp("program") / "run")


def greedy(runner, prompt, count):
    ids = list(prompt)
    pages = [list(range(runner.pages))]
    logits = runner.decode(ids, range(len(ids)), pages, [False] * (len(ids) - 1) + [True])
    for _ in range(count):
        ids.append(int(logits[0].argmax()))
        logits = runner.decode(ids[-1:], [len(ids) - 1], pages, [True])
    return ids[len(prompt) :]


def test_run_c_computes_the_logits_of_torch(case, gguf, folders):
    model = folders.seeded_model(folders.CASES[case])
    ids = np.random.RandomState(2).randint(0, folders.VOCAB, 100).tolist()
    with RunC.open(gguf, pages=16, page_size=16, threads=1) as runner, torch.no_grad():
        ours = runner.decode(ids, range(100), [list(range(16))], [True] * 100)
        assert np.abs(ours - model(torch.tensor([ids]))[0].numpy()).max() < 1e-4


def test_greedy_text_from_run_c_is_that_of_llama_cpp(case, gguf, folders):
    answer = json.loads((GOLDEN / case / "llama_cpp.json").read_text())["greedy"]
    with RunC.open(gguf, pages=16, page_size=16, threads=1) as runner:
        ids = greedy(runner, folders.PROMPT, len(answer["ids"]))
    for ours, theirs, gap in zip(ids, answer["ids"], answer["gaps"], strict=True):
        if gap < CLOSE and ours != theirs:
            break  # two logits as good as equal: from here on the texts may go apart
        assert ours == theirs


def test_token_ids_of_run_c_are_those_of_the_tokenizer(gguf, folders, tmp_path):
    tokenizer = Tokenizer.load(folders.write_tokenizer(tmp_path))
    with RunC.open(gguf, pages=1, page_size=16, threads=1) as runner:
        for text in folders.strings(10_000):
            assert runner.tokenize(text) == tokenizer.encode(text), repr(text)


def test_perplexity_of_run_c_is_that_of_torch(case, gguf, folders, tmp_path, program):
    text = "the next word is a word in the text: 다음 낱말 123\n" * 8
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    command = [program, gguf, "--perplexity", tmp_path / "text.txt", "--threads", "1"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    tokenizer = Tokenizer.load(folders.write_tokenizer(tmp_path / "tokenizer"))
    ids = torch.tensor(tokenizer.encode(text, bos=True))
    model, context = folders.seeded_model(folders.CASES[case]), folders.SMALL["max_position_embeddings"]
    assert len(ids) > context  # each block of the context is read afresh
    nats = 0.0
    with torch.no_grad():
        for at in range(0, len(ids) - 1, context):
            block = ids[at : at + context + 1]
            nats += F.cross_entropy(model(block[None, :-1])[0], block[1:], reduction="sum").item()
    found = re.match(r"perplexity (\S+), bits per byte (\S+),", output)
    assert float(found[1]) == pytest.approx(math.exp(nats / (len(ids) - 1)), rel=1e-5)
    assert float(found[2]) == pytest.approx(nats / math.log(2) / len(text.encode()), rel=1e-5)


def test_a_sentencepiece_folder_is_released_and_cut_alike_by_run_c(folders, tmp_path, need):
    from tokenizers import Tokenizer as Theirs

    need("cc")
    folder, size = folders.llama2_folder(tmp_path / "tokenizer")
    config = ModelConfig(**folders.SMALL | {"vocab_size": size, "bos_token_id": 1, "eos_token_id": 2})
    save_checkpoint(folders.seeded_model(config), tmp_path / "llama2", folder)
    write_parameters(tmp_path / "llama2", tmp_path / "a.gguf", "Q8_0", Progress("release"))
    theirs = Theirs.from_file(str(folder / "tokenizer.json"))
    with RunC.open(tmp_path / "a.gguf", pages=1, page_size=16, threads=1) as runner:
        for text in ("the", "other in there", " on  the hero", "말 the\n", "théo 🦙", "heinerthe"):
            assert runner.tokenize(text) == theirs.encode(text, add_special_tokens=False).ids, text
        assert runner.decode([1], [0], [[0]], [True]).shape == (1, size)
