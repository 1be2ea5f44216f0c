from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.train.checkpoints import Checkpoints
from nextword.train.distributed import Processes
from nextword.train.metrics import Metrics
from nextword.train.pretrain import PretrainSettings, pretrain, read_result
from nextword.train.step import TrainingStep

SCRIPT = Path(__file__).with_name("run_pretrain.py")


def curve(out: Path) -> list[tuple[int, float, float]]:
    return [
        (line["step"], line["loss"], line["gradient_norm"])
        for line in Metrics(out / "metrics.jsonl").lines("step")
    ]


@pytest.fixture(scope="module")
def reference(corpus, tmp_path_factory):
    """A run of 60 steps that nothing disturbs."""
    settings = PretrainSettings(
        steps=60,
        depth=1,
        batch=4,
        context=64,
        precision="fp32",
        compile="off",
        device="cpu",
        quick_tokens=200,
        final_tokens=400,
        sample_tokens=4,
        matrix_rate=0.01,
    )
    out = tmp_path_factory.mktemp("reference")
    looks = []
    result = pretrain(settings, corpus.tokens, corpus.tokenizer, out, on_look=looks.append)
    return settings, out, result, looks


def test_the_loss_falls(reference):
    _, out, result, _ = reference
    losses = [loss for _, loss, _ in curve(out)]
    assert len(losses) == 60 and sum(losses[-5:]) / 5 < 0.75 * losses[0]
    assert result.steps == 60 and result.tokens == 60 * 4 * 64


def test_held_out_text_gets_shorter(reference):
    _, out, _, _ = reference
    values = [line["bits_per_byte"] for line in Metrics(out / "metrics.jsonl").lines("evaluation")]
    assert values[-1] < values[0]


def test_the_run_folder_holds_what_it_promises(reference):
    _, out, result, _ = reference
    expected = [
        "run.json",
        "plan.json",
        "metrics.jsonl",
        "samples.jsonl",
        "loss.png",
        "result.json",
        "model/config.json",
    ]
    assert all((out / name).exists() for name in expected)
    assert read_result(out / "result.json") == result


def test_the_prompt_is_dreamed_on_at_one_ten_and_a_hundred_percent(reference):
    _, out, _, looks = reference
    samples = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert [(sample["step"], sample["percent"]) for sample in samples] == [(1, 1), (6, 10), (60, 100)]
    assert [look.step for look in looks if look.dream] == [1, 6, 60]


def test_the_model_folder_is_the_trained_model(reference, corpus):
    from nextword.evaluate.bits_per_byte import bits_per_byte
    from nextword.model.checkpoint import load_checkpoint
    from nextword.tokenizer.shards import Shards

    _, out, result, _ = reference
    model = load_checkpoint(out / "model")
    found = bits_per_byte(model, Shards.open(corpus.tokens, "heldout"), 64, max_tokens=400)
    assert found.value == pytest.approx(result.bits_per_byte, rel=1e-6)


def test_old_checkpoints_go_and_the_last_before_the_decay_stays(reference):
    _, out, _, _ = reference
    steps = Checkpoints(out / "checkpoints", Processes(0, 1, torch.device("cpu"))).steps()
    assert steps == [30, 54, 60]


def test_a_finished_run_returns_its_result_at_once(reference, corpus, monkeypatch):
    settings, out, result, _ = reference
    monkeypatch.setattr(TrainingStep, "step", None)  # it would fail if it trained
    assert pretrain(settings, corpus.tokens, corpus.tokenizer, out) == result


def test_a_run_killed_at_a_random_step_goes_on_as_if_nothing_had_happened(reference, corpus, tmp_path):
    settings, undisturbed, _, _ = reference
    out, moment = tmp_path / "base", random.randrange(8, 50)
    folders = [str(corpus.tokens), str(corpus.tokenizer), str(out)]
    command = [sys.executable, str(SCRIPT), json.dumps(asdict(settings)), *folders]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=SCRIPT.parents[2])
    while process.poll() is None:
        if (out / "metrics.jsonl").exists() and len(curve(out)) >= moment:
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL, "it was meant to be killed"
    assert not (out / "result.json").exists()
    pretrain(settings, corpus.tokens, corpus.tokenizer, out)
    assert curve(out) == curve(undisturbed), f"killed after step {moment}"


def test_a_finished_run_can_be_made_longer_from_before_its_decay(reference, corpus, tmp_path):
    settings, _, _, _ = reference
    short = replace(settings, steps=20, warmup=5)
    out, whole = tmp_path / "extended", tmp_path / "whole"
    pretrain(short, corpus.tokens, corpus.tokenizer, out)
    pretrain(replace(short, steps=40), corpus.tokens, corpus.tokenizer, out)
    pretrain(replace(short, steps=40), corpus.tokens, corpus.tokenizer, whole)
    assert curve(out) == curve(whole)


def test_the_same_batch_in_pieces_gives_the_same_curve(settings, corpus, tmp_path):
    pretrain(settings, corpus.tokens, corpus.tokenizer, tmp_path / "whole")
    pretrain(replace(settings, rows_at_once=1), corpus.tokens, corpus.tokenizer, tmp_path / "pieces")
    for (_, whole, _), (_, pieces, _) in zip(
        curve(tmp_path / "whole"), curve(tmp_path / "pieces"), strict=True
    ):
        assert pieces == pytest.approx(whole, abs=1e-4)


def test_documents_can_be_kept_apart(settings, corpus, tmp_path):
    settings = replace(settings, batch=32)
    apart = replace(settings, within_documents=True)
    pretrain(apart, corpus.tokens, corpus.tokenizer, tmp_path / "apart")
    pretrain(settings, corpus.tokens, corpus.tokenizer, tmp_path / "together")
    assert curve(tmp_path / "apart") != curve(tmp_path / "together")


def test_adamw_trains_too(settings, corpus, tmp_path):
    adamw = replace(settings, optimiser="adamw", precision="bf16", steps=30)
    pretrain(adamw, corpus.tokens, corpus.tokenizer, tmp_path)
    losses = [loss for _, loss, _ in curve(tmp_path)]
    assert losses[-1] < losses[0] - 1


def test_minutes_alone_choose_depth_and_steps_and_are_kept(settings, corpus, tmp_path):
    timed = replace(settings, steps=0, depth=0, minutes=0.05)
    result = pretrain(timed, corpus.tokens, corpus.tokenizer, tmp_path)
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["depth"] == result.depth >= 2 and plan["seconds"] is None
    assert result.steps == plan["steps"] == len(curve(tmp_path))


def test_a_loss_that_is_not_a_number_ends_the_run_with_the_checkpoint_before_intact(
    settings, corpus, tmp_path, monkeypatch
):
    step = TrainingStep.step

    def poisoned(self, batch):
        result = step(self, batch)
        return replace(result, loss=result.loss * float("nan")) if self.optimiser.steps == 5 else result

    monkeypatch.setattr(TrainingStep, "step", poisoned)
    with pytest.raises(Failure, match=r"diverged at step 5: loss nan.*checkpoint of step 4 is intact"):
        pretrain(settings, corpus.tokens, corpus.tokenizer, tmp_path)
    monkeypatch.undo()
    assert pretrain(settings, corpus.tokens, corpus.tokenizer, tmp_path).steps == settings.steps


def test_rates_that_blow_up_end_in_one_line_too(settings, corpus, tmp_path):
    wild = replace(settings, optimiser="adamw", vector_rate=1e30, warmup=0)
    with pytest.raises(Failure, match=r"diverged at step .*lower learning rates"):
        pretrain(wild, corpus.tokens, corpus.tokenizer, tmp_path)


@pytest.mark.parametrize("change", [{"batch": 8}, {"seed": 1}, {"matrix_rate": 0.5}])
def test_other_settings_do_not_continue_a_run(reference, corpus, change):
    settings, out, _, _ = reference
    with pytest.raises(BadInput, match=f"was begun with {next(iter(change))}"):
        pretrain(replace(settings, **change, steps=80), corpus.tokens, corpus.tokenizer, out)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"optimiser": "sgd"}, {"precision": "fp8"}, {"minutes": 0}, {"batch": 0}, {"decay": 2.0}),
        *({"width": 100, "depth": 2}, {"width": 128}),
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        PretrainSettings(**wrong)


def test_shards_of_another_tokenizer_are_refused(settings, corpus, tmp_path):
    other = tmp_path / "tokenizer"
    other.mkdir()
    text = (corpus.tokenizer / "tokenizer.json").read_text()
    (other / "tokenizer.json").write_text(text.replace("reserved_19", "reserved_99"))
    (other / "tokenizer_config.json").write_bytes((corpus.tokenizer / "tokenizer_config.json").read_bytes())
    with pytest.raises(BadInput, match="made by tokenizer"):
        pretrain(settings, corpus.tokens, other, tmp_path / "base")


def _stopped_early(settings, corpus, out, monkeypatch) -> None:
    """A run that was interrupted after its checkpoint of step 10."""
    step = TrainingStep.step

    def interrupted(self, batch):
        if self.optimiser.steps == 11:
            raise KeyboardInterrupt
        return step(self, batch)

    monkeypatch.setattr(TrainingStep, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pretrain(settings, corpus.tokens, corpus.tokenizer, out)
    monkeypatch.undo()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "gone", "facts"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_still_works(
    settings, corpus, tmp_path, monkeypatch, damage
):
    _stopped_early(settings, corpus, tmp_path, monkeypatch)
    checkpoints = Checkpoints(tmp_path / "checkpoints", Processes(0, 1, torch.device("cpu")))
    newest = checkpoints.path(checkpoints.newest())
    (file,) = (newest / "state").glob("*.safetensors")
    data = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        file.write_bytes(data[:-1000] + bytes([data[-1000] ^ 1]) + data[-999:])
    elif damage == "gone":
        file.unlink()
    else:
        (newest / "state" / "state.json").write_text("{")
    with pytest.raises(Corrupt, match=newest.name):
        pretrain(settings, corpus.tokens, corpus.tokenizer, tmp_path)
    shutil.rmtree(newest)
    assert pretrain(settings, corpus.tokens, corpus.tokenizer, tmp_path).steps == settings.steps


def test_a_full_disk_ends_in_one_line_and_leaves_the_checkpoint_before(settings, corpus, tmp_path):
    pretrain(replace(settings, steps=8), corpus.tokens, corpus.tokenizer, tmp_path)
    before = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # no file may grow beyond
    try:
        with pytest.raises(Failure, match=r"cannot be written.*free some space"):
            pretrain(settings, corpus.tokens, corpus.tokenizer, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    after = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert after == before[: len(after)] and after
    assert pretrain(settings, corpus.tokens, corpus.tokenizer, tmp_path).steps == settings.steps
