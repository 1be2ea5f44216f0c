import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from nextword.common.errors import BadInput
from nextword.tokenizer.loader import IGNORE, TokenLoader, permuted
from tests.tokenizer.conftest import shards_of

CORPORA = st.lists(st.lists(st.integers(0, 999), min_size=1, max_size=30), min_size=2, max_size=8)
CONTEXT = st.integers(1, 12)
SEED = st.integers(0, 5)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Twenty documents of different lengths whose ids are all different."""
    bounds = np.cumsum([0, *(7 + n % 5 for n in range(20))]).tolist()
    documents = [list(range(a, b)) for a, b in itertools.pairwise(bounds)]
    return shards_of(tmp_path_factory.mktemp("corpus"), documents)


@given(CORPORA, CONTEXT, SEED, st.integers(0, 3))
def test_an_epoch_predicts_every_token_exactly_once(tmp_path_factory, documents, context, seed, epoch):
    shards = shards_of(tmp_path_factory.mktemp("s"), documents, 20)
    loader = TokenLoader(shards, 1, context, seed=seed)
    rows = loader.rows(np.arange(epoch * loader.windows, (epoch + 1) * loader.windows))
    predicted = rows.targets[rows.targets != IGNORE]
    assert sorted(predicted.tolist()) == sorted(itertools.chain.from_iterable(documents))


@given(context=CONTEXT, seed=SEED)
def test_a_target_is_the_token_after_its_input(corpus, context, seed):
    rows = TokenLoader(corpus, 1, context, seed=seed).rows(np.arange(60))
    after = np.roll(corpus.read(0, corpus.tokens), -1)  # ids are positions here, so a token finds its next
    known = rows.targets != IGNORE
    assert (rows.targets == after[rows.inputs])[known].all()
    assert (rows.inputs[:, 1:] == after[rows.inputs[:, :-1]]).all()


@given(context=CONTEXT, seed=SEED)
def test_each_input_is_told_its_document(corpus, context, seed):
    rows = TokenLoader(corpus, 1, context, seed=seed).rows(np.arange(60))
    assert (rows.documents == corpus.document_of(rows.inputs)).all()


@given(context=CONTEXT, seed=SEED, done=st.integers(0, 40), prefetch=st.integers(0, 2))
def test_resuming_at_any_point_continues_the_same_stream(corpus, context, seed, done, prefetch):
    straight = TokenLoader(corpus, 3, context, seed=seed)
    for _ in range(done):
        next(straight)
    stopped = TokenLoader(corpus, 3, context, seed=seed, prefetch=prefetch)
    for _ in range(done):
        next(stopped)
    resumed = TokenLoader(corpus, 3, context, seed=seed)
    resumed.load_state_dict(stopped.state_dict())
    stopped.close()
    for _ in range(3):
        assert_same(next(straight), next(resumed))


@given(context=CONTEXT, seed=SEED, world=st.integers(1, 4), batch=st.integers(1, 3))
def test_the_ranks_together_see_what_one_process_sees(corpus, context, seed, world, batch):
    alone = TokenLoader(corpus, batch * world, context, seed=seed)
    ranks = [TokenLoader(corpus, batch, context, rank=rank, world=world, seed=seed) for rank in range(world)]
    for _ in range(5):
        parts = [next(rank) for rank in ranks]
        whole = next(alone)
        for name in ("inputs", "targets", "documents"):
            together = np.concatenate([getattr(part, name) for part in parts])
            assert (together == getattr(whole, name)).all()


def test_a_run_resumes_at_another_world_size(corpus):
    alone = TokenLoader(corpus, 4, 8)
    for _ in range(3):
        next(alone)
    ranks = [TokenLoader(corpus, 2, 8, rank=rank, world=2) for rank in range(2)]
    for rank in ranks:
        rank.load_state_dict(alone.state_dict())
    whole = next(alone)
    assert (np.concatenate([next(rank).inputs for rank in ranks]) == whole.inputs).all()


def test_epochs_are_cut_and_dealt_differently(corpus):
    loader = TokenLoader(corpus, 1, 8)
    first, second = (loader.rows(np.arange(loader.windows) + loader.windows * epoch) for epoch in (0, 1))
    starts = [sorted(rows.inputs[:, 0].tolist()) for rows in (first, second)]
    assert starts[0] != starts[1]
    assert first.inputs[:, 0].tolist() != starts[0]


def test_seeds_deal_differently(corpus):
    rows = [TokenLoader(corpus, 16, 8, seed=seed).rows(np.arange(16)).inputs for seed in (0, 1)]
    assert (rows[0] != rows[1]).any()


def test_reading_ahead_changes_nothing(corpus):
    plain, ahead = TokenLoader(corpus, 2, 8), TokenLoader(corpus, 2, 8, prefetch=3)
    for _ in range(10):
        assert_same(next(plain), next(ahead))
        assert plain.state_dict() == ahead.state_dict()
    ahead.close()


def test_the_loader_says_how_much_was_seen(corpus):
    loader = TokenLoader(corpus, 3, 8)
    next(loader)
    assert loader.epoch == 3 / loader.windows


@pytest.mark.parametrize("changed", [{"seed": 1}, {"context": 9}])
def test_a_state_of_another_run_is_refused(corpus, changed):
    state = TokenLoader(corpus, 2, 8).state_dict()
    loader = TokenLoader(corpus, 2, **{"context": 8, **changed})
    with pytest.raises(BadInput, match=f"the checkpoint was trained with {next(iter(changed))}"):
        loader.load_state_dict(state)


def test_an_empty_corpus_is_refused(tmp_path):
    with pytest.raises(BadInput, match="holds no text to train on"):
        TokenLoader(shards_of(tmp_path, []), 1, 8)


@given(st.integers(1, 400), st.integers(0, 2**62))
def test_a_shuffle_is_a_permutation(size, key):
    assert sorted(permuted(np.arange(size), size, key).tolist()) == list(range(size))


def test_a_shuffle_spreads_neighbours():
    size = 10_000
    order = permuted(np.arange(size), size, 1)
    gaps = np.abs(np.diff(order))
    assert abs(gaps.mean() - size / 3) < size / 50  # the mean distance of two random places
    assert abs(np.corrcoef(order, np.arange(size))[0, 1]) < 0.05


def assert_same(a, b):
    """Both batches hold the same numbers."""
    for name in ("inputs", "targets", "documents"):
        assert (getattr(a, name) == getattr(b, name)).all(), name
