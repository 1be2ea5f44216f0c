"""Finetuning end to end on a tiny model: it learns the answers, resumes exactly, and refuses what it must."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from nextword.common.dialogue import write_conversations
from nextword.common.errors import BadInput
from nextword.common.files import read_json
from nextword.common.records import Conversation, Message
from nextword.model.checkpoint import load_checkpoint, save_checkpoint
from nextword.model.config_file import end_tokens
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.finetune import FinetuneData, FinetuneSettings, finetune
from nextword.train.finetune_run import FinetuneRun
from nextword.train.metrics import Metrics
from nextword.train.pretrain import PretrainSettings, pretrain

SCRIPT = Path(__file__).with_name("run_finetune.py")
KINDS = ("ddp", "fsdp")
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


def test_a_finished_run_is_not_taken_for_another(done, base, data):
    out, _ = done
    with pytest.raises(BadInput, match="was begun with batch 2, now it is 4"):
        finetune(replace(QUICK, batch=4), base, data, out)
    with pytest.raises(BadInput, match=r"was begun with data .*train.jsonl.*, now it is .*heldout.jsonl"):
        finetune(QUICK, base, FinetuneData(data.heldout), out)


def test_a_finished_run_notices_what_it_would_learn_from_now(done, base, data, corpus, tmp_path):
    out, result = done
    for name in ("train", "heldout"):
        write_conversations(tmp_path / f"{name}.jsonl", talks(11))
    more = FinetuneData((tmp_path / "train.jsonl",), data.heldout)
    with pytest.raises(BadInput, match="its data has changed since it was begun; restore it"):
        finetune(QUICK, base, more, out)
    with pytest.raises(BadInput, match="its held-out data has changed"):
        finetune(QUICK, base, replace(data, heldout=(tmp_path / "heldout.jsonl",)), out)
    with pytest.raises(BadInput, match=r"was begun with tokens \[\], now it is"):
        finetune(QUICK, base, replace(data, tokens=corpus.tokens), out)
    with pytest.raises(BadInput, match=r"was begun with base .*, now it is "):
        finetune(QUICK, result.model, data, out)


def test_a_base_that_changed_meanwhile_is_noticed(base, data, tmp_path, monkeypatch):
    folder = shutil.copytree(base, tmp_path / "base")
    monkeypatch.setattr(FinetuneRun, "train", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        finetune(QUICK, folder, data, tmp_path / "run")
    model = load_checkpoint(folder)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    save_checkpoint(model, folder, base)
    with pytest.raises(BadInput, match="its base has changed since it was begun"):
        finetune(QUICK, folder, data, tmp_path / "run")


def test_conversations_that_changed_meanwhile_are_noticed(base, tmp_path, monkeypatch):
    path = tmp_path / "train.jsonl"
    write_conversations(path, talks())
    monkeypatch.setattr(FinetuneRun, "train", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        finetune(QUICK, base, FinetuneData((path,)), tmp_path / "run")
    write_conversations(path, talks(11))
    with pytest.raises(BadInput, match="its data has changed since it was begun; restore it"):
        finetune(QUICK, base, FinetuneData((path,)), tmp_path / "run")


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


@pytest.fixture(scope="module")
def two(base, data, tmp_path_factory):
    """The same run by two processes over gloo: with a copy each, and in slices."""
    out = tmp_path_factory.mktemp("two")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    each = json.dumps([asdict(replace(QUICK, parallel=kind)) for kind in KINDS])
    files = [base, data.train[0], out, "0", data.heldout[0]]
    run = subprocess.run([*torchrun, SCRIPT, each, *files], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    return {kind: out / str(number) for number, kind in enumerate(KINDS)}


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_learn_and_measure_what_one_does(done, two, kind):
    assert losses(two[kind]) == pytest.approx(losses(done[0]), abs=1e-4)
    result = read_json(two[kind] / "result.json")
    assert result["heldout_before"] == pytest.approx(done[1].heldout_before, abs=1e-4)
    assert result["heldout_after"] == pytest.approx(done[1].heldout_after, abs=1e-4)
    looks = [line["heldout_loss"] for line in Metrics(two[kind] / "metrics.jsonl").lines("evaluation")]
    assert len(looks) == len(list(Metrics(done[0] / "metrics.jsonl").lines("evaluation")))


def test_what_is_answered_along_the_way_takes_one_line_each(base, data, tmp_path, capsys):
    wordy = replace(QUICK, steps=4, prompt="Who\nare you? " * 3, sample_tokens=20)
    finetune(wordy, base, data, tmp_path)
    lines = capsys.readouterr().err.splitlines()
    looks = [line for line in lines if line.startswith("after ")]
    assert len(looks) == 4 and all(len(line) <= 80 and " ->" in line for line in looks), lines
    assert all(line.startswith(("after ", "finetune: ")) for line in lines), lines


def test_a_prompt_that_no_answer_fits_behind_is_refused_before_training(base, data, tmp_path):
    with pytest.raises(BadInput, match=r"the prompt takes \d+ tokens, and this model reads at most 64"):
        finetune(replace(QUICK, prompt="Who? " * 60), base, data, tmp_path)


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
