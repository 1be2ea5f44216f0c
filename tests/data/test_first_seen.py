import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextword.data import first_seen
from nextword.data.first_seen import KeyWriter, Repeats, find_repeats

TASKS = st.lists(st.lists(st.lists(st.integers(0, 12), max_size=6), max_size=5), min_size=1, max_size=4)
"""For each task, for each document, the hashes of its units: few values, so that many repeat."""


def repeats_of(tasks, folder, parts):
    for rank, documents in enumerate(tasks):
        writer = KeyWriter(folder / "keys", rank, parts)
        for number, hashes in enumerate(documents):
            writer.add(number, np.array(hashes, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        writer.flush()
    for part in range(parts):
        find_repeats(folder / "keys", folder / "repeats", part)
    return [
        [Repeats(folder / "repeats", rank).of(number).tolist() for number in range(len(documents))]
        for rank, documents in enumerate(tasks)
    ]


def by_dictionary(tasks):
    seen = set()
    found = []
    for documents in tasks:
        found.append([])
        for hashes in documents:
            found[-1].append([unit for unit, key in enumerate(hashes) if key in seen or seen.add(key)])
    return found


@given(TASKS, st.integers(1, 5))
def test_it_finds_what_a_dictionary_in_memory_finds(tmp_path_factory, tasks, parts):
    assert repeats_of(tasks, tmp_path_factory.mktemp("keys"), parts) == by_dictionary(tasks)


def test_more_keys_than_the_buffer_holds_are_all_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(first_seen, "BUFFERED", 4)
    tasks = [[[1, 2, 3, 4, 5, 6, 7, 8, 9], [9, 8, 7]], [[1, 20]]]
    assert repeats_of(tasks, tmp_path, 2) == [[[], [0, 1, 2]], [[0]]]


def test_a_task_that_is_run_again_begins_again(tmp_path):
    tasks = [[[1, 2]], [[2]]]
    assert repeats_of(tasks, tmp_path, 2) == repeats_of(tasks, tmp_path, 2)
