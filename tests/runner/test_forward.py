"""The whole transformer against its definition in numpy, and the pages that hold the past."""

import os
from pathlib import Path

import numpy as np
import pytest

from nextword.common.errors import BadInput, Failure
from nextword.runner.library import RunC

WHOLE = [list(range(16))]


def predict(path, ids, **options):
    """Logits of every token of one sequence, run at once: (T, V)."""
    with RunC.open(path, pages=16, page_size=16, threads=1, **options) as model:
        return model.decode(ids, range(len(ids)), WHOLE, [True] * len(ids))


def some_ids(shape, count, seed=3):
    return np.random.default_rng(seed).integers(0, shape.vocab, count)


@pytest.fixture(scope="module")
def tiny(model_file, library):
    with RunC.open(model_file, pages=64, page_size=16, threads=1) as model:
        yield model


SHAPES = {
    "grouped": {},
    "ungrouped": {"kv_heads": 4},
    "one key-value head": {"kv_heads": 1},
    "tied": {"tied": True},
    "llama-3 factors": {"factors": tuple(1 + n / 4 for n in range(32))},
    "other theta": {"theta": 500000.0},
    "odd sizes": {"hidden": 52, "heads": 3, "kv_heads": 3, "head_dim": 18, "ffn": 77},
}


@pytest.mark.parametrize("change", SHAPES.values(), ids=SHAPES.keys())
def test_logits_are_those_of_the_definition(library, tools, tmp_path, change):
    shape = tools.replace(tools.Shape(), **change)
    weights = tools.write_gguf(tmp_path / "model.gguf", shape)
    ids = some_ids(shape, 40)
    expected = tools.reference_logits(weights, shape, ids)
    np.testing.assert_allclose(predict(tmp_path / "model.gguf", ids), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q6_K"])
def test_quantised_files_stay_near_their_dequantised_selves(library, tools, tmp_path, name):
    shape = tools.Shape(scale=0.05)
    weights = tools.write_gguf(tmp_path / "model.gguf", shape, tools.Type[name])
    ids = some_ids(shape, 20)
    expected = tools.reference_logits(weights, shape, ids)
    error = np.abs(predict(tmp_path / "model.gguf", ids) - expected).max()
    assert error < (1e-4 if name in ("F16", "BF16") else 0.05) * np.abs(expected).max()


def test_one_by_one_and_all_at_once_agree(tiny):
    ids = some_ids(type("S", (), {"vocab": 265}), 30)
    at_once = tiny.decode(ids, range(30), WHOLE, [True] * 30)
    one_by_one = [tiny.decode([id], [place], WHOLE, [True])[0] for place, id in enumerate(ids)]
    np.testing.assert_allclose(one_by_one, at_once, atol=1e-4)


def test_a_text_longer_than_one_pass_is_run_in_several(library, tools, tmp_path):
    shape = tools.Shape(hidden=64, heads=1, kv_heads=1, ffn=64, context=2048)
    weights = tools.write_gguf(tmp_path / "model.gguf", shape)
    ids = some_ids(shape, 700)
    with RunC.open(tmp_path / "model.gguf", pages=50, page_size=16, threads=2) as model:
        logits = model.decode(
            ids, range(700), [list(range(50))], [place in (511, 512, 699) for place in range(700)]
        )
    expected = tools.reference_logits(weights, shape, ids)[[511, 512, 699]]
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_sequences_in_one_batch_do_not_see_each_other(tiny):
    first, second = (some_ids(type("S", (), {"vocab": 265}), count, seed=count) for count in (20, 33))
    alone = [tiny.decode(ids, range(len(ids)), WHOLE, [True] * len(ids)) for ids in (first, second)]
    tables = [[40, 3, 17], [5, 60, 2]]
    together = tiny.decode(
        [*first, *second], [*range(20), *range(33)], tables, [True] * 53, sequences=[0] * 20 + [1] * 33
    )
    np.testing.assert_allclose(together[:20], alone[0], atol=1e-4)
    np.testing.assert_allclose(together[20:], alone[1], atol=1e-4)


def test_a_copied_page_forks_a_sequence(tiny):
    ids = some_ids(type("S", (), {"vocab": 265}), 12)
    tiny.decode(ids, range(12), [[7]], [False] * 12)
    tiny.copy_page(7, 9)
    left, right = tiny.decode([1, 2], [12, 12], [[7], [9]], [True, True])
    tiny.decode(ids, range(12), [[20]], [False] * 12)
    np.testing.assert_allclose(left, tiny.decode([1], [12], [[20]], [True])[0], atol=1e-5)
    np.testing.assert_allclose(right, tiny.decode([2], [12], [[20]], [True])[0], atol=1e-5)


def test_a_page_read_out_and_written_back_elsewhere_holds_the_same_past(tiny):
    ids = some_ids(type("S", (), {"vocab": 265}), 10)
    tiny.decode(ids, range(10), [[1]], [False] * 10)
    expected = tiny.decode([5], [10], [[1]], [True])
    kept = tiny.read_page(1)
    assert (
        len(kept) == tiny.information.page_bytes == 2 * 2 * 2 * 16 * 64 * 4
    )  # layers, k and v, heads, slots, D
    tiny.write_page(33, kept)
    np.testing.assert_array_equal(tiny.decode([5], [10], [[33]], [True]), expected)


def test_keys_and_values_in_halves_change_little_and_cost_half(model_file, library):
    ids = some_ids(type("S", (), {"vocab": 265}), 30)
    whole, half = predict(model_file, ids), predict(model_file, ids, kv="f16")
    assert 0 < np.abs(whole - half).max() < 0.05
    with RunC.open(model_file, 1, 16, 1, kv="f16") as model:
        assert model.information.page_bytes == 2 * 2 * 2 * 16 * 64 * 2


def test_threads_do_not_change_a_bit(model_file, library):
    ids = some_ids(type("S", (), {"vocab": 265}), 30)
    results = []
    for threads in (1, 2, 5):
        with RunC.open(model_file, 16, 16, threads) as model:
            results.append(model.decode(ids, range(30), WHOLE, [True] * 30))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize(
    ("token", "position", "tables", "message"),
    [
        (265, 0, [[0]], "token 265 is outside the vocabulary of 265"),
        (-1, 0, [[0]], "token -1 is outside"),
        (0, 16, [[0]], "position 16 is beyond its page table of 1 pages"),
        (0, -1, [[0]], "position -1 is beyond"),
        (0, 0, [[64]], "page 64 is outside the pool of 64"),
        (0, 20, [[-1, 0]], "page -1 is outside"),
    ],
)
def test_a_batch_that_points_outside_is_refused(tiny, token, position, tables, message):
    with pytest.raises(BadInput, match=message):
        tiny.decode([token], [position], tables, [True])


def test_a_batch_of_unequal_lengths_is_refused(tiny):
    with pytest.raises(BadInput, match="lengths 2, 1, 1 and 2"):
        tiny.decode([1, 2], [0], [[0]], [True])


def test_an_empty_batch_is_nothing(tiny):
    assert tiny.decode([], [], [[0]], []).shape == (0, 265)


def test_a_page_that_does_not_exist_is_refused(tiny):
    for act in (
        lambda: tiny.copy_page(0, 64),
        lambda: tiny.read_page(-1),
        lambda: tiny.write_page(0, b"short"),
    ):
        with pytest.raises(BadInput, match="page"):
            act()


def test_a_closed_model_says_so(model_file, library):
    model = RunC.open(model_file, 1, 16, 1)
    model.close()
    model.close()
    with pytest.raises(Failure, match="has been closed"):
        model.tokenize("hello")


def test_opening_and_closing_leaks_nothing(model_file, library):
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")

    def once():
        with RunC.open(model_file, 16, 16, 2) as model:
            model.decode([1] * 20, range(20), WHOLE, [True] * 20)
            model.tokenize("some text")

    for _ in range(10):
        once()
    before, files = resident(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        once()
    assert resident() - before < 3_000_000  # one open model holds more than that
    assert len(list(Path("/proc/self/fd").iterdir())) == files
