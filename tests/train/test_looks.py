"""What is shown of a run, without a run: a tiny model that has learned nothing, and a checkpoint of it."""

import json
from dataclasses import replace

import pytest
import torch

from nextword.model.config import ModelConfig
from nextword.model.llama import Llama
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.checkpoints import Checkpoints
from nextword.train.distributed import Processes
from nextword.train.looks import Looks
from nextword.train.metrics import Metrics


@pytest.fixture
def said():
    return []


@pytest.fixture
def seen():
    return []


@pytest.fixture
def looks(settings, corpus, tmp_path, said, seen):
    """Looks at a run of 12 steps, marked at step 3, with checkpoints after steps 3, 6 and 12."""
    alone = Processes(0, 1, torch.device("cpu"))
    tokenizer = Tokenizer.load(corpus.tokenizer)
    shape = ModelConfig.of_depth(1, tokenizer.vocab_size, settings.context)
    model = Llama(replace(shape, bos_token_id=tokenizer.bos, eos_token_id=tokenizer.eos))
    model.initialise(0)
    made = Looks(
        settings,
        model,
        tokenizer,
        Shards.open(corpus.tokens, "heldout"),
        tmp_path,
        metrics=Metrics(tmp_path / "metrics.jsonl"),
        checkpoints=Checkpoints(tmp_path / "checkpoints", alone, keep=3),
        processes=alone,
        marks={3: 10},
        say=said.append,
        on_look=seen.append,
    )
    made.metrics.append("step", 1, loss=5.0, tokens=256)
    for step in (3, 6, 12):
        made.checkpoints.save(step, lambda folder: made.write_model(folder / "model"))
    return made


def kinds(looks):
    return [(line["kind"], line["step"]) for line in looks.metrics.lines() if line["kind"] != "step"]


def test_the_newest_model_is_there_to_use(looks):
    looks.look(6, 12)
    newest = looks.checkpoints.path(6) / "model"
    assert {file.name for file in (looks.out / "model").iterdir()} == {file.name for file in newest.iterdir()}
    assert (looks.out / "model" / "tokenizer.json").read_bytes() == looks.tokenizer.where.read_bytes()


def test_an_ordinary_look_only_evaluates(looks, seen):
    looks.look(6, 12)
    assert kinds(looks) == [("evaluation", 6)] and not (looks.out / "samples.jsonl").exists()
    assert [(look.step, look.percent, look.dream) for look in seen] == [(6, 50.0, "")]


def test_at_a_mark_the_prompt_is_dreamed_on_and_the_curve_drawn(looks, said, seen):
    looks.look(3, 12)
    record = json.loads((looks.out / "samples.jsonl").read_text())
    assert (record["percent"], record["text"]) == (10, seen[0].dream) and seen[0].dream
    assert (looks.out / "loss.png").stat().st_size > 1000
    assert said[0].startswith(f"after 10 %: {looks.settings.prompt}")


def test_the_last_look_gives_the_figure_to_report(looks, seen):
    looks.look(12, 12)
    assert kinds(looks) == [("evaluation", 12), ("final", 12)]
    (final,) = looks.metrics.lines("final")
    assert (seen[0].percent, seen[0].bits_per_byte) == (100.0, final["bits_per_byte"])


def test_looking_twice_at_a_step_keeps_one_sample(looks):
    looks.look(3, 12)
    looks.look(3, 12)
    assert len((looks.out / "samples.jsonl").read_text().splitlines()) == 1


def test_the_last_evaluation_takes_no_longer_than_its_tokens(looks):
    few, all = (replace(looks, settings=replace(looks.settings, final_tokens=n)) for n in (50, 10**9))
    assert few.last_seconds(100.0) == 0.5 and all.last_seconds(100.0) == looks.held_out.tokens / 100
