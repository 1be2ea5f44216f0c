"""A folder made by transformers, in Llama 2's layout, from `finetune --lora` to the two files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nextword import engine
from nextword.cli.main import run
from nextword.common.dialogue import write_conversations
from nextword.common.files import read_json
from nextword.common.language_model import Request, Sampling, Token
from nextword.common.records import Conversation, Message
from nextword.model.adapter import merged_model
from nextword.model.checkpoint import load_checkpoint
from nextword.release import inspect
from nextword.tokenizer.chat import ChatTemplate
from nextword.tokenizer.tokenizer import Tokenizer
from tests.release.test_sentencepiece import model as sentencepiece

HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "llama2"
CLOSE = 1e-3
"""Two best log-probabilities nearer than this may change places."""
TALKS = [
    Conversation([Message("user", "What is the default?"), Message("assistant", "None.")]),
    Conversation([Message("user", "다음 낱말은?"), Message("assistant", "모델이 맞힙니다.")]),
    Conversation(
        [
            Message("system", "Be brief."),
            Message("user", "What does json.dumps do?"),
            Message("assistant", "It writes a value as text."),
        ]
    ),
]
ASKED = [Conversation(talk.messages[:-1]) for talk in TALKS]
PROMPTS = [*ASKED, Conversation([Message("user", "Is it 🦙\n or </s>?")]), "Return the", "다음 "]


@pytest.fixture(scope="module", params=["as transformers writes it", "with tokenizer.model"])
def base(request, tmp_path_factory):
    """The folder alone, and with SentencePiece's own file beside, as Llama 2 was published."""
    folder = Path(shutil.copytree(GOLDEN, tmp_path_factory.mktemp("llama2") / "llama2"))
    if request.param == "with tokenizer.model":
        vocabulary = read_json(folder / "tokenizer.json")["model"]["vocab"]
        pieces = [
            (token, 259.0 - id if id > 258 else 0.0, 2 if not id else 3 if id < 3 else 6 if id < 259 else 1)
            for token, id in vocabulary.items()
        ]
        (folder / "tokenizer.model").write_bytes(sentencepiece(pieces))
    return folder


@pytest.fixture(scope="module")
def finetuned(base, need):
    """Its folder after `finetune` and `release`, typed as a person would."""
    need("cc")
    data = base.parent / "talks.jsonl"
    write_conversations(data, TALKS)
    argv = ["finetune", base, "--data", data, "--lora", "4", "--lora-rate", "0.02", "--steps", "40"]
    assert run([str(word) for word in [*argv, "--batch", "3", "--device", "cpu"]]) == 0
    assert run(["release", str(base / "finetuned"), "--type", "F32"]) == 0
    return base / "finetuned"


@pytest.fixture(scope="module")
def gguf(finetuned):
    return finetuned / "release" / "model.gguf"


def greedy(spec, prompts, count):
    """For each prompt what is said, token by token: (id, how far the second best was)."""
    model, said = engine.open(str(spec)), {}
    sampling = Sampling(temperature=0.0, max_new_tokens=count, top_logprobs=2)
    for event in model.generate([Request(prompt, sampling, id=str(n)) for n, prompt in enumerate(prompts)]):
        if isinstance(event, Token) and event.top:
            gap = event.top[0].logprob - event.top[1].logprob
            said.setdefault(event.request, []).append((event.id, gap))
    return [said[str(n)] for n in range(len(prompts))]


def same(ours, theirs):
    """Whether two greedy continuations are one, up to a choice too close to call."""
    for (mine, gap), (other, _) in zip(ours, theirs, strict=False):
        if mine != other:
            return gap < CLOSE
    return len(ours) == len(theirs)


def test_the_answers_are_learnt_and_end(finetuned, capsys):
    for asked, talk in zip(ASKED[:2], TALKS, strict=False):
        assert run(["chat", str(finetuned), asked.messages[-1].content]) == 0
        assert capsys.readouterr().out.strip() == talk.messages[-1].content


def test_what_torch_says_is_what_run_c_says_from_the_file(finetuned, gguf):
    torch_says, run_c_says = (greedy(spec, PROMPTS, 32) for spec in (finetuned / "model", gguf))
    for prompt, ours, theirs in zip(PROMPTS, torch_says, run_c_says, strict=True):
        assert same(ours, theirs), f"{prompt}\n{ours}\n{theirs}"


def test_the_released_weights_are_the_base_with_the_adapter_merged_in(base, finetuned):
    merged, written = merged_model(base, finetuned / "adapter"), load_checkpoint(finetuned / "model")
    first = load_checkpoint(base)
    for (name, theirs), ours in zip(merged.named_parameters(), written.parameters(), strict=True):
        assert torch.equal(ours, theirs), name
    changed = [
        name
        for (name, theirs), ours in zip(first.named_parameters(), written.parameters(), strict=True)
        if not torch.equal(ours, theirs)
    ]
    assert len(changed) == 14 and all("proj" in name for name in changed)


def test_the_compiled_program_chats_from_the_two_files_alone(finetuned, gguf, tmp_path):
    moved = shutil.copytree(finetuned / "release", tmp_path / "elsewhere")
    command = [moved / "run", moved / gguf.name, "--chat", "-t", "0", "--threads", "1"]
    asked = f"{ASKED[0].messages[-1].content}\n"
    said = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    assert TALKS[0].messages[-1].content in said.stdout
    assert inspect(gguf).keys["tokenizer.ggml.model"] == "llama"


@pytest.mark.slow
def test_transformers_says_the_same_from_the_finetuned_folder(need, finetuned):
    python, chat = need(".peers/transformers/bin/python"), ChatTemplate(Tokenizer.load(finetuned / "model"))
    asked = [chat.ids(conversation) for conversation in ASKED]
    command = [python, HERE / "llama2_peer.py", "answer", finetuned / "model", json.dumps(asked), "8"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=offline())
    for ours, theirs in zip(greedy(finetuned / "model", asked, 8), json.loads(answer.stdout), strict=True):
        assert same(ours, theirs[: len(ours)]), f"{ours}\n{theirs}"


@pytest.mark.slow
def test_transformers_still_writes_what_is_stored(need, tmp_path):
    python = need(".peers/transformers/bin/python")
    command = [python, HERE / "llama2_peer.py", "make", tmp_path]
    subprocess.run(command, check=True, capture_output=True, env=offline())
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in GOLDEN.iterdir()}
    for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        assert read_json(tmp_path / name) == read_json(GOLDEN / name), name
    made, stored = (load_file(folder / "model.safetensors") for folder in (tmp_path, GOLDEN))
    assert made.keys() == stored.keys() and all(torch.equal(made[name], stored[name]) for name in made)


def offline():
    return {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
