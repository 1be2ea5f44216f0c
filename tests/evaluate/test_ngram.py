import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given

from nextword.common.errors import BadInput
from nextword.evaluate.ngram import NGram, ngram_bits_per_byte
from tests.tokenizer.conftest import shards_of

BOS, A, EOS, OTHER = range(4)
DOCUMENTS = st.lists(
    st.lists(st.integers(1, 8), max_size=30).map(lambda ids: np.array([0, *ids, 9])), min_size=1, max_size=6
)


@given(DOCUMENTS, DOCUMENTS, st.integers(1, 3))
def test_the_probabilities_of_all_tokens_sum_to_one(training, histories, order):
    assume(max(map(len, training)) >= order)
    model = NGram.train(training, 10, order)
    for ids in histories:
        for end in range(1, min(len(ids), 8)):
            assert model.distribution(ids[:end]).sum() == pytest.approx(1)


@given(DOCUMENTS, DOCUMENTS, st.integers(1, 3))
def test_scoring_a_document_agrees_with_asking_token_by_token(training, documents, order):
    assume(max(map(len, training)) >= order)
    model = NGram.train(training, 10, order)
    for ids in documents:
        asked = [model.distribution(ids[:end])[ids[end]] for end in range(1, len(ids))]
        assert model.probabilities(ids) == pytest.approx(asked)


def test_known_values_by_hand():
    # Two documents `BOS a EOS`, four tokens in the vocabulary; so small a text gets discounts of one half.
    model = NGram.train([np.array([BOS, A, EOS])] * 2, 4, order=2)
    # 1-gram: a was seen after one token (BOS), EOS after one (a): 0.5 / 2 each, half the mass to 1/4 each.
    one = 0.5 / 2 + 0.5 * 0.25
    # 2-gram: BOS was followed by a twice: (2 - 0.5) / 2, and 0.5 / 2 to the 1-gram.
    two = 1.5 / 2 + 0.25 * one
    assert model.probabilities(np.array([BOS, A])) == pytest.approx([two])
    # OTHER was never seen: a quarter of what the 1-gram leaves; and nothing is known of what follows it.
    never = 0.25 * (0.5 * 0.25)
    assert model.probabilities(np.array([BOS, OTHER, A])) == pytest.approx([never, one])


def test_discounts_follow_chen_and_goodman():
    # Counts of counts n1..n4 = 4, 2, 1, 1: Y = 4 / (4 + 4) = 1/2.
    tokens = [1, 2, 3, 4, *([5] * 2), *([6] * 2), *([7] * 3), *([8] * 4)]
    model = NGram.train([np.array([0, *tokens])], 10, order=1)
    assert model.orders[0].discounts == pytest.approx(
        [0, 1 - 2 * 0.5 * 2 / 4, 2 - 3 * 0.5 * 1 / 2, 3 - 4 * 0.5 * 1 / 1]
    )


def test_a_token_frequent_in_one_place_only_is_unlikely_elsewhere():
    # 7 follows 6 always and nothing else; 5 follows many: Kneser-Ney's "York" and "Francisco".
    text = [0, *([6, 7] * 20), *(n for pair in zip([1, 2, 3, 4] * 2, [5] * 8, strict=True) for n in pair)]
    model = NGram.train([np.array(text)], 10, order=2)
    unseen_history = np.array([0, 9])
    assert model.distribution(unseen_history)[5] > 2 * model.distribution(unseen_history)[7]


def test_a_longer_memory_helps_where_the_past_tells(tmp_path):
    draw = np.random.default_rng(0)
    phrases = [draw.integers(2, 200, 6).tolist() for _ in range(40)]

    def corpus(name, seed):
        choose = np.random.default_rng(seed)
        documents = [
            [0, *np.concatenate([phrases[n] for n in choose.integers(0, 40, 30)]), 1] for _ in range(20)
        ]
        (tmp_path / name).mkdir()
        return shards_of(tmp_path / name, documents, 10_000, 200)

    train, heldout = corpus("train", 1), corpus("heldout", 2)
    one, two, five = (ngram_bits_per_byte(train, heldout, 200, order) for order in (1, 2, 5))
    assert five < two < one / 2


def test_text_shorter_than_the_order_is_refused():
    with pytest.raises(BadInput, match="too little text for a model of order 5"):
        NGram.train([np.array([0, 1])], 4)


def test_no_text_is_refused():
    with pytest.raises(BadInput, match="no documents to count"):
        NGram.train([], 4)
