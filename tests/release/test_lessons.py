"""What a card can say of how a model was taught to answer."""

import json

import pytest

from nextword.release.lessons import Lesson, read_lessons


@pytest.fixture
def run(tmp_path):
    write(tmp_path / "finetuned" / "run.json", {"data": ["/a/train.jsonl", "/b/own.jsonl"]})
    ended = {"conversations": 1200, "epochs": 0.5, "heldout_after": 0.77123, "accuracy": None}
    write(tmp_path / "finetuned" / "result.json", ended)
    write(tmp_path / "aligned" / "run.json", {"comparisons": ["/c/comparisons.jsonl"]})
    write(
        tmp_path / "aligned" / "result.json", {"method": "dpo", "records": 344, "accuracy": 0.636, "kl": 0.4}
    )
    return tmp_path


def write(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))


FINETUNED = Lesson(
    "finetuned", "train.jsonl, own.jsonl", "1,200 conversations, 0.5 times; held-out loss 0.771"
)


def test_a_finetuned_model_learnt_one_lesson(run):
    assert read_lessons(run / "finetuned" / "model", run) == (FINETUNED,)


def test_an_aligned_model_learnt_both(run):
    told = "dpo, 344 records; held-out pairs right 64%; nats an answer from the model before 0.40"
    assert read_lessons(run / "aligned" / "model", run) == (
        FINETUNED,
        Lesson("aligned", "comparisons.jsonl", told),
    )


def test_a_model_aligned_by_a_reward_learnt_from_prompts(run):
    write(run / "aligned" / "run.json", {"data": ["/c/prompts.jsonl"]})
    write(run / "aligned" / "result.json", {"method": "grpo", "prompts": 2400, "kl": 0.5})
    told = "grpo, 2,400 prompts; nats an answer from the model before 0.50"
    found = read_lessons(run / "aligned" / "model", run)
    assert found == (FINETUNED, Lesson("aligned", "prompts.jsonl", told))


def test_a_base_model_and_a_checkpoint_without_its_run_learnt_none(run):
    assert read_lessons(run / "base" / "model", run) == () == read_lessons(run / "finetuned" / "model", None)


def test_a_stage_that_did_not_end_is_left_out(run):
    (run / "aligned" / "result.json").unlink()
    assert read_lessons(run / "aligned" / "model", run) == (FINETUNED,)
