"""`nextword reward`: from comparisons to a reward model, in one line when it cannot be."""

from __future__ import annotations

import pytest
import torch

from nextword.cli.main import run
from nextword.common.files import read_json, write_json
from nextword.model.checkpoint import load_checkpoint, save_checkpoint

QUICK = ["--steps", "12", "--rate", "5e-3", "--batch", "8", "--held-out", "25", "--device", "cpu"]


def test_a_run_gets_a_reward_model_and_its_figures_are_told(finetuned_run, comparisons, capsys):
    argv = ["reward", str(finetuned_run), "--data", str(comparisons), *QUICK]
    assert run(argv) == 0
    out = finetuned_run / "reward"
    said = capsys.readouterr().out
    result = read_json(out / "result.json")
    assert f"{result['accuracy']:.0%} of {result['held_out']} held-out ones right" in said
    assert "left out: 1 with two equal sides" in said
    assert f"plots: {out / 'curves.png'}, {out / 'calibration.png'}" in said
    assert f"next: nextword align {finetuned_run} --method ppo --reward {out}" in said
    assert (out / "model" / "config.json").exists()
    assert run(argv) == 0, "a finished run tells its result again"
    assert f"{result['accuracy']:.0%} of" in capsys.readouterr().out


def test_nothing_held_out_is_said(finetuned_run, comparisons, tmp_path, capsys):
    argv = ["reward", str(finetuned_run), "--data", str(comparisons), *QUICK, "--held-out", "0"]
    assert run([*argv, "--out", str(tmp_path / "rm")]) == 0
    said = capsys.readouterr().out
    assert "none was held out" in said and "calibration.png" not in said
    assert (tmp_path / "rm" / "model").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no comparison to learn from"),
        ("{", "comparisons.jsonl"),
        ('{"messages": []}', "record 1"),
        ('{"prompt": "x", "chosen": "a", "rejected": "a"}', "1 with two equal sides"),
        ('{"prompt": "x", "chosen": "a", "rejected": ""}', "1 with an empty answer"),
        (f'{{"prompt": "{"x " * 200}", "chosen": "a", "rejected": "b"}}', "1 longer than the context of 96"),
        ('{"prompt": "x", "chosen": "a", "rejected": "b", "meta": {"margin": NaN}}', "its margin is nan"),
    ],
)
def test_comparisons_that_teach_nothing_are_one_line(finetuned_run, comparisons, text, says, capsys):
    comparisons.write_text(text)
    argv = ["reward", str(finetuned_run), "--data", str(comparisons), *QUICK, "--held-out", "0"]
    assert run(argv) == 2
    _is_one_line(capsys, says)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["reward", "/no/run", "--data", "x.jsonl"], "/no/run: no such file or folder"),
        (["reward", "RUN"], "--data"),
        (["reward", "RUN", "--data", "/no.jsonl"], "/no.jsonl"),
        (["reward", "RUN", "--data", "DATA", "--rate", "0"], "rate is 0.0; give more than 0"),
        (["reward", "REWARD", "--data", "DATA"], "LlamaForSequenceClassification"),
    ],
)
def test_what_cannot_be_is_one_line(finetuned_run, comparisons, reward_model, argv, says, capsys):
    places = {"RUN": finetuned_run, "DATA": comparisons, "REWARD": reward_model}
    assert run([str(places.get(word, word)) for word in argv]) == 2
    _is_one_line(capsys, says)


@pytest.mark.parametrize("verb", [["reward"], ["align"], ["align", "--method", "simpo"]])
def test_a_template_without_a_stop_token_is_one_line(finetuned_run, comparisons, verb, capsys):
    config = finetuned_run / "finetuned" / "model" / "tokenizer_config.json"
    template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    write_json(config, {**read_json(config), "chat_template": template})
    argv = [verb[0], str(finetuned_run), *verb[1:], "--data", str(comparisons), "--device", "cpu"]
    assert run(argv) == 2
    _is_one_line(capsys, "the chat template ends an answer without a stop token")


def test_an_assistant_that_changed_meanwhile_is_noticed(finetuned_run, comparisons, monkeypatch, capsys):
    argv = ["reward", str(finetuned_run), "--data", str(comparisons), *QUICK]
    monkeypatch.setattr("nextword.train.reward_run.RewardRun.train", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(argv)
    folder = finetuned_run / "finetuned" / "model"
    model = load_checkpoint(folder)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    save_checkpoint(model, folder, folder)
    assert run(argv) == 2
    _is_one_line(capsys, "a stale reference: its weights changed since the run in")


def _is_one_line(capsys, says):
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("nextword:")]
    assert len(lines) == 1 and says in lines[0], lines
