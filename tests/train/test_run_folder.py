"""A run begins in a folder of its own, and only the same run continues there."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from nextword.common.errors import BadInput
from nextword.common.files import write_json
from nextword.train.run_folder import LEARNT, begin, content_of, finished, hash_of, inputs


@dataclass(frozen=True)
class Settings:
    seed: int = 0


@dataclass(frozen=True)
class Ended:
    model: Path
    loss: float


@pytest.mark.parametrize("name", ["model", "adapter", "checkpoints"])
def test_a_run_does_not_begin_over_a_model_that_is_not_its_own(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    begin(Settings(), tmp_path)
    (tmp_path / "run.json").unlink()
    (tmp_path / name / "config.json").write_text("somebody's")
    with pytest.raises(BadInput, match=f"holds {name}/, which this run would replace"):
        begin(Settings(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_run_that_began_here_goes_on_beside_its_model(tmp_path: Path) -> None:
    begin(Settings(), tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("its own")
    begin(Settings(), tmp_path)


def test_data_that_changed_under_its_name_is_noticed(tmp_path: Path) -> None:
    begin(Settings(), tmp_path, data=["a.jsonl"], **{LEARNT: hash_of([("a", 1), "b\ud800"])})
    begin(Settings(), tmp_path, data=["a.jsonl"], **{LEARNT: hash_of([("a", 1), "b\ud800"])})
    with pytest.raises(BadInput, match="its data has changed since it was begun; restore it"):
        begin(Settings(), tmp_path, data=["a.jsonl"], **{LEARNT: hash_of(["b\ud800", ("a", 1)])})


def test_data_may_be_named_from_elsewhere_but_not_otherwise(tmp_path: Path) -> None:
    begin(Settings(), tmp_path, data=["runs/a.jsonl"])
    begin(Settings(), tmp_path, data=["/home/kim/runs/a.jsonl"])
    with pytest.raises(BadInput, match=r"was begun with data .*a\.jsonl.*, now it is .*b\.jsonl"):
        begin(Settings(), tmp_path, data=["/home/kim/runs/b.jsonl"])


def test_a_run_that_was_begun_before_its_data_was_hashed_goes_on(tmp_path: Path) -> None:
    begin(Settings(), tmp_path, data=["a.jsonl"])
    begin(Settings(), tmp_path, data=["a.jsonl"], **{LEARNT: hash_of("b")})


def test_a_finished_run_gives_its_result_to_the_same_settings_only(tmp_path: Path) -> None:
    begin(Settings(), tmp_path)
    assert finished(Ended, Settings(), tmp_path) is None
    write_json(tmp_path / "result.json", {"model": "model", "loss": 1.5})
    assert finished(Ended, Settings(), tmp_path) == Ended(tmp_path / "model", 1.5)
    assert finished(Ended, Settings(seed=1), tmp_path, ["seed"]) is not None
    with pytest.raises(BadInput, match="was begun with seed 0, now it is 1"):
        finished(Ended, Settings(seed=1), tmp_path)


def ended(out: Path, data: Path, base: Path) -> Ended | None:
    """What a call that reads these is told of the run in `out`."""
    return finished(Ended, Settings(), out, **read(data, base))


def read(data: Path, base: Path) -> dict[str, object]:
    return {"data": [str(data)], "base": str(base), **inputs(data=[data], base=base)}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text("{}")
    return path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"1")
    return folder


@pytest.fixture
def out(tmp_path: Path, data: Path, base: Path) -> Path:
    """A finished run that read them."""
    folder = tmp_path / "run"
    begin(Settings(), folder, **read(data, base))
    write_json(folder / "result.json", {"model": "model", "loss": 1.5})
    return folder


def test_a_finished_run_is_not_the_one_that_reads_other_data_of_that_name(
    out: Path, data: Path, base: Path
) -> None:
    assert ended(out, data, base)
    data.write_text("{}\n{}")
    with pytest.raises(BadInput, match="its data has changed since it was begun; restore it, or choose ano"):
        ended(out, data, base)
    data.unlink()
    with pytest.raises(BadInput, match="its data has changed since it was begun"):
        ended(out, data, base)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_finished_run_is_not_the_one_that_began_as_another_model(
    out: Path, data: Path, base: Path, name: str
) -> None:
    (base / name).write_bytes(b"2")
    with pytest.raises(BadInput, match="its base has changed since it was begun"):
        ended(out, data, base)
    other = base.rename(base.with_name("other"))
    with pytest.raises(BadInput, match=r"was begun with base .*model, now it is .*other"):
        ended(out, data, other)


def test_what_is_read_may_be_called_otherwise_while_it_is_the_same(out: Path, data: Path, base: Path) -> None:
    assert ended(out, data.rename(data.with_name("b.jsonl")), base.rename(base.with_name("other")))


def test_a_run_that_has_begun_notices_it_too(out: Path, data: Path, base: Path) -> None:
    (out / "result.json").unlink()
    begin(Settings(), out, **read(data, base))
    (base / "model.safetensors").write_bytes(b"2")
    with pytest.raises(BadInput, match="its base has changed since it was begun"):
        begin(Settings(), out, **read(data, base))


def test_a_run_that_wrote_no_hashes_down_is_taken_at_its_names(
    tmp_path: Path, data: Path, base: Path
) -> None:
    out = tmp_path / "older"
    begin(Settings(), out, data=["a.jsonl"])
    write_json(out / "result.json", {"model": "model", "loss": 1.5})
    assert ended(out, data, base)
    with pytest.raises(BadInput, match="was begun with data"):
        ended(out, data.with_name("b.jsonl"), base)


def test_content_is_that_of_files_in_their_order_and_of_a_models_files_by_name(
    tmp_path: Path, data: Path, base: Path
) -> None:
    (tmp_path / "b.jsonl").write_text("[]")
    both = [data, tmp_path / "b.jsonl"]
    assert content_of(both) != content_of(both[::-1]) and content_of(both) == content_of(both)
    one = content_of(base)
    (base / "README.md").write_text("about it")
    assert content_of(base) == one
    (base / "model.safetensors").rename(base / "other.safetensors")
    assert content_of(base) != one
