import json

from hypothesis import given
from hypothesis import strategies as st

from nextword.common.records import is_held_out
from nextword.data.clean_split import changing_sides, split_records

DOCUMENTS = st.dictionaries(st.integers(0, 999).map(str), st.booleans(), max_size=6)
"""Ids, and whether each is our own."""


def stage(folder, documents, percent):
    """What the last stage of cleaning leaves, in two tasks."""
    for number, (id, is_own) in enumerate(sorted(documents.items(), key=lambda one: one[1])):
        split = "heldout" if is_held_out(id, percent) else "train"
        path = folder / split / f"{number % 2:05d}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps({"id": id, "own": is_own}) + "\n")
    return folder


def sides(folder, hold_out=True):
    moved = changing_sides(folder, hold_out)
    return moved, {split: list(split_records(folder, split, moved)) for split in ("train", "heldout")}


@given(DOCUMENTS, st.sampled_from([1e-6, 5, 50, 99.9]))
def test_every_document_is_on_one_side(tmp_path_factory, documents, percent):
    _, found = sides(stage(tmp_path_factory.mktemp("kept"), documents, percent))
    assert sorted(record["id"] for side in found.values() for record in side) == sorted(documents)


@given(DOCUMENTS, st.sampled_from([1e-6, 5, 50, 99.9]))
def test_a_page_of_the_crawl_is_trained_on_if_there_is_one(tmp_path_factory, documents, percent):
    _, found = sides(stage(tmp_path_factory.mktemp("kept"), documents, percent))
    assert any(not record["own"] for record in found["train"]) == (False in documents.values())


@given(DOCUMENTS, st.sampled_from([1e-6, 5, 50, 99.9]))
def test_something_is_held_out_if_a_page_is_left_to_train_on(tmp_path_factory, documents, percent):
    _, found = sides(stage(tmp_path_factory.mktemp("kept"), documents, percent))
    if len(documents) > 1 and False in documents.values():
        assert found["heldout"]


@given(DOCUMENTS, st.sampled_from([1e-6, 5, 50, 99.9]))
def test_at_most_two_documents_change_sides(tmp_path_factory, documents, percent):
    moved, _ = sides(stage(tmp_path_factory.mktemp("kept"), documents, percent))
    assert len(moved) <= 2


def test_where_chance_was_kind_nothing_moves(tmp_path):
    moved, _ = sides(stage(tmp_path, {str(number): number > 200 for number in range(220)}, 5))
    assert moved == frozenset()


def test_holding_nothing_out_is_left_so(tmp_path):
    moved, _ = sides(stage(tmp_path, {"1": False, "2": False}, 0), hold_out=False)
    assert moved == frozenset()


def test_a_page_of_the_crawl_is_measured_on_before_our_own_text(tmp_path):
    documents = {"1": False, "2": False} | {str(number): True for number in range(10, 30)}
    _, found = sides(stage(tmp_path, documents, 1e-6))
    assert [record["own"] for record in found["heldout"]] == [False]
