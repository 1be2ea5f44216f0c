import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given

from nextword.common.errors import BadInput, Failure
from nextword.evaluate.bits_per_byte import bits_per_byte, windows
from nextword.tokenizer.loader import IGNORE
from tests.tokenizer.conftest import shards_of

BOS, EOS = 480, 481


@pytest.fixture(scope="session")
def heldout(tmp_path_factory):
    """Six documents of 2 to 62 tokens."""
    draw = np.random.default_rng(0)
    documents = [[BOS, *draw.integers(0, 480, 12 * n), EOS] for n in range(6)]
    return shards_of(tmp_path_factory.mktemp("heldout"), documents)


def even(ids):
    """A model for which all 512 tokens are always alike."""
    return torch.zeros(*ids.shape, 512)


@given(st.integers(0, 200), st.integers(1, 40), st.data())
def test_windows_score_every_token_but_the_first_exactly_once(length, context, data):
    stride = data.draw(st.integers(1, context))
    ids = np.arange(length)
    scored = []
    for inputs, targets in windows(ids, context, stride):
        assert 0 < len(inputs) <= context
        known = targets != IGNORE
        assert (targets[known] == inputs[known] + 1).all()
        scored += targets[known].tolist()
    assert scored == list(range(1, length))


@given(st.integers(2, 200), st.integers(2, 40), st.data())
def test_every_token_is_scored_after_enough_others(length, context, data):
    stride = data.draw(st.integers(1, context))
    for inputs, targets in windows(np.arange(length), context, stride):
        for place in np.flatnonzero(targets != IGNORE):
            seen = place + 1
            assert seen > context - stride or seen == inputs[place] + 1


def test_an_even_model_pays_log2_of_the_vocabulary_for_each_token(heldout):
    found = bits_per_byte(even, heldout, 16)
    tokens = heldout.tokens - heldout.documents  # BOS is given, EOS is scored
    assert found.tokens == tokens
    assert found.bytes == heldout.bytes
    assert found.value == pytest.approx(9 * tokens / heldout.bytes)
    assert found.loss == pytest.approx(math.log(512), rel=1e-6)


def test_a_document_within_the_context_is_scored_as_a_whole(tiny_model, heldout):
    expected = 0.0
    with torch.no_grad():
        for ids, _ in heldout.iterate():
            whole = torch.tensor(ids.astype(np.int64))[None]
            logits = tiny_model(whole[:, :-1])[0].double()
            expected += F.cross_entropy(logits, whole[0, 1:], reduction="sum").item() / math.log(2)
    assert bits_per_byte(tiny_model, heldout, 128).bits == pytest.approx(expected, rel=1e-6)


def test_the_batch_size_does_not_matter(tiny_model, heldout):
    alone, together = (bits_per_byte(tiny_model, heldout, 16, batch=batch) for batch in (1, 7))
    assert together.bits == pytest.approx(alone.bits, rel=1e-6)
    assert together.tokens == alone.tokens


def test_more_context_is_seen_with_a_shorter_stride(tiny_model, heldout):
    calls = []

    def watched(ids):
        calls.append(ids.numel())
        return tiny_model(ids)

    whole, half = (bits_per_byte(watched, heldout, 16, stride=stride, batch=1).tokens for stride in (16, 8))
    assert whole == half
    assert sum(calls) > 2.3 * heldout.tokens  # once without overlap, then nearly twice with


def test_a_limit_takes_whole_documents_in_a_fixed_order(heldout):
    found = bits_per_byte(even, heldout, 16, max_tokens=60)
    sizes = {len(ids): size for ids, size in heldout.iterate()}
    assert found.tokens < 60
    assert found.bytes < sum(sizes.values())
    assert found == bits_per_byte(even, heldout, 16, max_tokens=60)


def test_a_limit_below_every_document_still_takes_one(heldout):
    assert bits_per_byte(even, heldout, 16, max_tokens=1).tokens > 0


def test_the_model_is_put_back_into_training(tiny_model, heldout):
    tiny_model.train()
    bits_per_byte(tiny_model, heldout, 16, max_tokens=20)
    assert tiny_model.training


def test_scores_that_are_not_numbers_are_a_failure(heldout):
    with pytest.raises(Failure, match="the model's scores are not numbers"):
        bits_per_byte(lambda ids: even(ids) * math.nan, heldout, 16)


def test_nothing_held_out_is_refused(tmp_path):
    with pytest.raises(BadInput, match="holds no text to score"):
        bits_per_byte(even, shards_of(tmp_path, []), 16)
