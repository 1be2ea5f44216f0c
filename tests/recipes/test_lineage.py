"""From any model back to its data, its parent, and who wrote its corrections."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import write_json
from nextword.common.records import Conversation
from nextword.recipes.lineage import Corrections, DataFile, Lineage, chain, former_files, weights_of, writers

FIRST = Lineage(
    "rounds/001/finetuned", "aa", "finetuned", "00", 1,
    Corrections("corrections", 1, 0, "c1", 20, 20, 0, 20, {"p-1": 20}),
    [DataFile("seed/train.jsonl", "ff", 900)], {"repeats": 8}, "2026-11-23T09:00:00+00:00",
)  # fmt: skip
SECOND = replace(FIRST, model="rounds/002/finetuned", weights="bb", parent="rounds/001/finetuned",
    parent_weights="aa", round=2)  # fmt: skip


@pytest.fixture
def run(tmp_path):
    for each in (FIRST, SECOND):
        (tmp_path / each.model).mkdir(parents=True)
        each.write(tmp_path / each.model / "..")
    return tmp_path


def test_a_lineage_reads_back(run):
    assert Lineage.read(run / "rounds/001") == FIRST


def test_the_chain_goes_back_to_what_no_round_has_made(run):
    assert list(chain(run, run / "rounds/002/finetuned")) == [SECOND, FIRST]
    assert list(chain(run, run / "finetuned")) == []


def test_a_parent_whose_weights_were_changed_breaks_the_chain(run):
    replace(FIRST, weights="xx").write(run / "rounds/001")
    with pytest.raises(Corrupt, match="these weights were changed since"):
        list(chain(run, run / "rounds/002/finetuned"))


def test_a_file_that_is_no_lineage_is_told(run):
    write_json(run / "rounds/001/lineage.json", {"model": "x"})
    with pytest.raises(Corrupt, match="no lineage"):
        Lineage.read(run / "rounds/001")


def test_former_conversations_are_those_that_the_assistant_was_taught(tmp_path):
    (tmp_path / "a.jsonl").touch()
    write_json(tmp_path / "finetuned" / "run.json", {"data": [str(tmp_path / "a.jsonl")]})
    assert former_files(tmp_path / "finetuned") == [tmp_path / "a.jsonl"]
    stage = tmp_path / FIRST.model
    stage.mkdir(parents=True)
    replace(FIRST, former=[DataFile(str(tmp_path / "a.jsonl"), "", 1)]).write(stage.parent)
    assert former_files(stage) == [tmp_path / "a.jsonl"]


def began_as(stage, model, *data):
    """The record of a stage that began from an assistant, as alignment writes it."""
    write_json(stage / "run.json", {"assistant": str(model), "data": [str(file) for file in data]})


def test_an_aligned_assistant_was_taught_what_it_was_finetuned_on_not_its_comparisons(tmp_path):
    conversations, comparisons = tmp_path / "a.jsonl", tmp_path / "comparisons.jsonl"
    for file in (conversations, comparisons):
        file.touch()
    write_json(tmp_path / "finetuned" / "run.json", {"data": [str(conversations)]})
    began_as(tmp_path / "aligned", tmp_path / "finetuned" / "model", comparisons)
    assert former_files(tmp_path / "aligned") == [conversations]
    write_json(tmp_path / "ppo" / "run.json", {"assistant": str(tmp_path / "aligned" / "model")})
    assert former_files(tmp_path / "ppo") == [conversations]


def test_what_was_aligned_from_a_round_was_taught_what_the_round_rehearsed(tmp_path):
    (tmp_path / "a.jsonl").touch()
    (tmp_path / FIRST.model).mkdir(parents=True)
    replace(FIRST, former=[DataFile(str(tmp_path / "a.jsonl"), "", 1)]).write(tmp_path / "rounds/001")
    began_as(tmp_path / "aligned", tmp_path / FIRST.model / "model", tmp_path / "comparisons.jsonl")
    assert former_files(tmp_path / "aligned") == [tmp_path / "a.jsonl"]


def test_a_run_named_from_elsewhere_is_not_taken_for_the_one_that_lies_under_its_old_name(
    tmp_path, monkeypatch
):
    for where in ("here", "there"):
        run = tmp_path / where / "runs" / "docs"
        (run / "seed").mkdir(parents=True)
        (run / "seed" / "a.jsonl").touch()
        write_json(run / "finetuned" / "run.json", {"data": ["runs/docs/seed/a.jsonl"]})
        began_as(run / "aligned", "runs/docs/finetuned/model")
        (run / "finetuned" / "model").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for run in (tmp_path / "there" / "runs" / "docs", (tmp_path / "here" / "runs" / "docs").rename("moved")):
        assert former_files(run / "aligned") == [(run / "seed" / "a.jsonl").resolve()]


def test_an_assistant_that_says_it_began_as_itself_is_no_endless_search(tmp_path):
    began_as(tmp_path / "aligned", tmp_path / "current" / "model", tmp_path / "comparisons.jsonl")
    (tmp_path / "current").symlink_to("aligned", target_is_directory=True)
    with pytest.raises(BadInput, match="which says that it began as this; name the conversations"):
        former_files(tmp_path / "aligned")


@pytest.mark.parametrize("record", [{}, {"data": "x"}, {"data": ["/no/such.jsonl"]}])
def test_former_conversations_that_are_gone_are_to_be_named(tmp_path, record):
    write_json(tmp_path / "run.json", record)
    with pytest.raises(BadInput, match="name them with --data"):
        former_files(tmp_path)


def test_weights_are_known_by_every_file_of_them(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.safetensors").write_bytes(b"1")
    one = weights_of(tmp_path)
    (tmp_path / "model" / "b.safetensors").write_bytes(b"2")
    two = weights_of(tmp_path)
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    assert one != two == weights_of(tmp_path)


def test_writers_are_counted_by_pseudonym_and_machines_by_name():
    by = [{"who": "p-1"}, {"who": "m-2", "machine": "rule:x"}, {"who": "p-1"}]
    assert writers([Conversation([], meta={"labelled": {"by": [one]}}) for one in by]) == {
        "p-1": 2,
        "rule:x": 1,
    }
