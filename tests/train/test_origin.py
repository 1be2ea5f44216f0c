"""Which assistant of a run a stage begins from."""

from __future__ import annotations

import pytest

from nextword.common.errors import BadInput
from nextword.common.files import write_json
from nextword.train.origin import origin


@pytest.fixture
def made(tmp_path):
    """Make these stages of a run."""

    def make(*stages):
        for stage in stages:
            (tmp_path / stage / "model").mkdir(parents=True)
            (tmp_path / stage / "model" / "config.json").write_text("{}")
        return tmp_path

    return make


def test_the_newest_assistant_of_a_run_is_taken(made):
    run = made("base", "finetuned")
    assert origin(run, run / "reward") == run / "finetuned" / "model"
    made("aligned")
    assert origin(run, run / "reward") == run / "aligned" / "model"


def test_a_stage_does_not_begin_from_what_it_makes(made):
    run = made("finetuned", "aligned")
    assert origin(run, run / "aligned") == run / "finetuned" / "model"
    assert origin(run, run / "base" / ".." / "aligned") == run / "finetuned" / "model"


def test_a_stage_that_goes_on_keeps_what_it_began_from(made):
    run = made("finetuned")
    write_json(run / "reward" / "run.json", {"assistant": str(run / "finetuned" / "model")})
    made("aligned")
    assert origin(run, run / "reward") == run / "finetuned" / "model"


def test_another_runs_record_is_not_followed(made, tmp_path):
    run = made("one/finetuned", "two/finetuned")
    write_json(run / "out" / "run.json", {"assistant": str(run / "one" / "finetuned" / "model")})
    assert origin(run / "two", run / "out") == run / "two" / "finetuned" / "model"


def test_a_folder_from_elsewhere_is_itself_and_a_bare_run_its_base(made):
    run = made("base")
    assert origin(run / "base" / "model", run / "x") == run / "base" / "model"
    assert origin(run, run / "x") == run / "base" / "model"


def test_nothing_to_begin_from_is_said(tmp_path):
    with pytest.raises(BadInput, match="no model in this folder"):
        origin(tmp_path, tmp_path / "reward")
