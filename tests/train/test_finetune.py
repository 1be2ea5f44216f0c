"""Finetuning end to end on a tiny model: it learns the answers, resumes exactly, and refuses what it must."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from nextword.common.dialogue import write_conversations
from nextword.common.errors import BadInput
from nextword.common.files import read_json
from nextword.common.records import Conversation, Message
from nextword.model.config_file import end_tokens
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.finetune import FinetuneData, FinetuneSettings, finetune
from nextword.train.metrics import Metrics
from nextword.train.pretrain import PretrainSettings, pretrain

QUICK = FinetuneSettings(
    steps=10,
    batch=2,
    matrix_rate=0.02,
    vector_rate=0.01,
    precision="fp32",
    device="cpu",
    prompt="Who are you?",
    sample_tokens=4,
    warmup=1,
)


@pytest.fixture(scope="module")
def base(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("base")
    settings = PretrainSettings(
        steps=2,
        depth=1,
        batch=2,
        context=64,
        precision="fp32",
        compile="off",
        device="cpu",
        quick_tokens=100,
        final_tokens=100,
        sample_tokens=2,
    )
    return pretrain(settings, corpus.tokens, corpus.tokenizer, out).model


def talks(count=12):
    return [
        Conversation([Message("user", f"What is {n}?"), Message("assistant", f"{n} is a number.")])
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talks")
    write_conversations(folder / "train.jsonl", talks())
    write_conversations(folder / "heldout.jsonl", talks(2))
    return FinetuneData((folder / "train.jsonl",), (folder / "heldout.jsonl",))


@pytest.fixture(scope="module")
def done(base, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("done")
    return out, finetune(QUICK, base, data, out)


def losses(out):
    return [line["loss"] for line in Metrics(out / "metrics.jsonl").lines("step")]


def test_the_loss_on_held_out_answers_falls(done):
    _, result = done
    assert result.heldout_after < 0.75 * result.heldout_before
    assert result.conversations == 12


def test_the_model_folder_ends_an_answer_at_the_turn_and_carries_its_tokenizer(done):
    _, result = done
    tokenizer = Tokenizer.load(result.model)
    assert set(end_tokens(result.model)) == {tokenizer.eos, tokenizer.special["<|end|>"]}
    assert tokenizer.chat_template is not None


def test_a_run_leaves_its_curve_its_answers_and_what_made_it(done):
    out, _ = done
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "samples.jsonl").read_text().splitlines()[-1])["prompt"] == "Who are you?"
    assert read_json(out / "run.json")["data"][0].endswith("train.jsonl")


def test_a_finished_run_returns_its_result(done, base, data):
    out, result = done
    assert finetune(QUICK, base, data, out) == result


def test_other_settings_in_the_same_folder_are_refused(done, base, data):
    out, _ = done
    (out / "result.json").rename(out / "kept.json")
    try:
        with pytest.raises(BadInput, match="was begun with batch 2, now it is 4"):
            finetune(replace(QUICK, batch=4), base, data, out)
    finally:
        (out / "kept.json").rename(out / "result.json")


KILLED = """
import json, os, signal, sys
from pathlib import Path
from nextword.train.finetune import FinetuneData, FinetuneSettings, finetune
from nextword.train import loop
settings, base, train, heldout, out, at = sys.argv[1:]
save = loop.Loop.save
def saved(self):
    save(self)
    if self.step >= int(at):
        os.kill(os.getpid(), signal.SIGKILL)
loop.Loop.save = saved
data = FinetuneData((Path(train),), (Path(heldout),))
finetune(FinetuneSettings(**json.loads(settings)), Path(base), data, Path(out))
"""


def test_a_killed_run_continues_to_the_same_curve(done, base, data, tmp_path):
    settings = json.dumps({name: getattr(QUICK, name) for name in vars(QUICK)})
    arguments = [settings, str(base), str(data.train[0]), str(data.heldout[0]), str(tmp_path), "1"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True)
    assert killed.returncode == -9, killed.stderr
    assert not (tmp_path / "result.json").exists()
    finetune(QUICK, base, data, tmp_path)
    assert losses(tmp_path) == losses(done[0])


def test_plain_text_is_replayed_beside_the_conversations(base, data, corpus, tmp_path):
    settings = replace(QUICK, steps=2, replay=0.5)
    result = finetune(settings, base, replace(data, tokens=corpus.tokens), tmp_path)
    assert result.steps == 2
    with pytest.raises(BadInput, match="replay needs plain text"):
        finetune(settings, base, data, tmp_path / "without")


def test_a_template_without_a_stop_token_is_refused_before_training(base, data, tmp_path):
    template = tmp_path / "plain.jinja"
    template.write_text("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}")
    with pytest.raises(BadInput, match="without a stop token"):
        finetune(replace(QUICK, template=str(template)), base, data, tmp_path / "out")


def test_a_template_that_the_vocabulary_cannot_write_is_refused(base, data, tmp_path):
    with pytest.raises(BadInput, match=r"no <\|im_start\|>, <\|im_end\|>, which the chatml template needs"):
        finetune(replace(QUICK, template="chatml"), base, data, tmp_path)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "no conversation to learn from"),
        ('{"messages": [{"role": "user", "content": "q"}]}\n', "no message of the assistant"),
        ('{"messages": [{"role": "boss", "content": "q"}]}\n', "record 1: unknown role 'boss'"),
        ('{"text": "a"}\n', "record 1: no list of messages"),
    ],
)
def test_a_file_without_conversations_is_refused_by_name(base, tmp_path, lines, message):
    (tmp_path / "a.jsonl").write_text(lines)
    with pytest.raises(BadInput, match=message):
        finetune(QUICK, base, FinetuneData((tmp_path / "a.jsonl",)), tmp_path / "out")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("steps", -1), ("replay", 2.0), ("minutes", float("nan")), ("optimiser", "sgd"), ("batch", 0)],
)
def test_settings_that_cannot_be_met_are_refused(setting, value):
    with pytest.raises(BadInput, match=setting):
        replace(QUICK, **{setting: value})
