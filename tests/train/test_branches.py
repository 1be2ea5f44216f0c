"""A packed batch must be the same sequences, each as if it stood alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nextword.train.branches import Branch, Tree, merged, pack_trees
from nextword.train.sequence_logprobs import in_pieces, sequence_logprobs, token_logprobs

ids = st.integers(0, 99)
branches = st.lists(st.tuples(ids, st.integers(0, 1)), max_size=9).map(
    lambda tokens: Branch(tuple(id for id, _ in tokens), tuple(on for _, on in tokens))
)
trees = st.builds(
    Tree,
    st.lists(ids, min_size=1, max_size=7).map(tuple),
    st.lists(branches, min_size=1, max_size=4).map(tuple),
)


def tree(prefix: int, *lengths: int, seed: int = 0) -> Tree:
    generator = torch.Generator().manual_seed(seed)

    def draw(length: int) -> tuple[int, ...]:
        return tuple(torch.randint(0, 512, (length,), generator=generator).tolist())

    return Tree(draw(prefix), tuple(Branch(draw(n), (1,) * n) for n in lengths))


@given(st.lists(trees, min_size=1, max_size=5))
@settings(max_examples=150)
def test_every_sequence_can_be_read_back(forest):
    packed = pack_trees(forest)
    ids, positions = packed.ids[0].tolist(), packed.positions[0].tolist()
    number = start = 0
    for each in forest:
        length = len(each.prefix)
        assert ids[start : start + length] == list(each.prefix)
        assert positions[start : start + length] == list(range(length))
        asked, start = start + length - 1, start + length
        for branch in each.branches:
            own = range(start, start + len(branch.ids))
            assert ids[start : own.stop] == list(branch.ids)
            assert positions[start : own.stop] == list(range(length, length + len(own)))
            assert packed.ends[number] == (own[-1] if own else asked)
            learnt = [j for j, on in enumerate(branch.mask) if on]
            scored = packed.sequence == number
            assert packed.targets[scored].tolist() == [branch.ids[j] for j in learnt]
            assert packed.offset[scored].tolist() == list(range(len(learnt)))
            assert packed.predictors[scored].tolist() == [own[j] - 1 if j else asked for j in learnt]
            assert packed.counts[number] == len(learnt)
            number, start = number + 1, own.stop
    assert start == len(ids) and number == len(packed.ends)
    assert packed.tokens == sum(len(each.prefix) + len(one.ids) for each in forest for one in each.branches)


def test_a_prompt_stands_once_before_its_answers():
    packed = pack_trees([tree(100, 10, 10), tree(90, 20, 10)])
    assert packed.ids.numel() == 240 and packed.tokens == 430


@pytest.fixture
def forest():
    return [tree(20, 9, 14, seed=1), tree(3, 30, 2, 1, seed=2), tree(5, 8, seed=3)]


def alone(model, forest):
    """Each sequence by itself, by the textbook."""
    for each in forest:
        for branch in each.branches:
            whole = torch.tensor([[*each.prefix, *branch.ids]])
            scores = model(whole).log_softmax(-1)[0, len(each.prefix) - 1 : -1]
            yield scores.gather(1, torch.tensor(branch.ids)[:, None])[:, 0]


def test_log_probabilities_and_gradients_are_those_of_each_sequence_alone(tiny_model, forest):
    packed = pack_trees(forest)
    ours, plain = token_logprobs(tiny_model, packed).logprobs, torch.cat(list(alone(tiny_model, forest)))
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)
    g = torch.linspace(-1, 1, len(plain))
    parameters = list(tiny_model.parameters())
    mine, true = (torch.autograd.grad(values, parameters, g) for values in (ours, plain))
    for one, other in zip(mine, true, strict=True):
        assert (one - other).norm() <= 1e-4 * other.norm()


def test_bf16_on_a_cpu_sees_the_same(tiny_model, forest):
    packed = pack_trees(forest)
    rounded = token_logprobs(tiny_model, packed, torch.bfloat16).logprobs
    assert (rounded - torch.cat(list(alone(tiny_model, forest)))).abs().mean() < 0.2


def test_sums_do_not_depend_on_how_many_are_computed_at_once(tiny_model, forest):
    together = sequence_logprobs(tiny_model, forest)
    torch.testing.assert_close(
        together, sequence_logprobs(tiny_model, forest, tokens_at_once=1), rtol=1e-4, atol=1e-4
    )
    expected = [one.sum().item() for one in alone(tiny_model, forest)]
    torch.testing.assert_close(together, expected, rtol=1e-4, atol=1e-4)


def test_values_of_each_sequence_stand_in_a_row_of_their_own(forest):
    packed = pack_trees(forest)
    rows = packed.padded(torch.arange(64.0) + 1)
    assert rows.shape == (6, 30) and rows[0].count_nonzero() == 9 and rows[4, 0] == 9 + 14 + 30 + 2 + 1


def test_pieces_keep_the_order_and_a_large_tree_is_a_piece_of_its_own(forest):
    pieces = list(in_pieces(forest, 45))
    assert pieces == [[one] for one in forest]
    assert list(in_pieces(forest, 1000)) == [forest]


@given(st.lists(trees, min_size=1, max_size=5))
@settings(max_examples=50)
def test_a_prompts_own_tokens_can_be_scored_each_once(forest):
    packed = pack_trees(forest)
    assert sorted(packed.prompt_targets.tolist()) == sorted(id for each in forest for id in each.prefix[1:])
    assert len(packed.prompt_targets) == sum(len(each.prefix) - 1 for each in forest)
    flat, positions = packed.ids.flatten(), packed.positions.flatten()
    at = packed.prompt_predictors
    assert torch.equal(flat[at + 1], packed.prompt_targets) and torch.equal(
        positions[at] + 1, positions[at + 1]
    )


@given(st.lists(trees, min_size=1, max_size=6))
@settings(max_examples=100)
def test_merged_trees_hold_every_sequence_once(forest):
    kept, numbers = merged(forest)
    assert len({one.prefix for one in kept}) == len(kept)
    sequences = [(one.prefix, branch) for one in kept for branch in one.branches]
    assert len(set(sequences)) == len(sequences)
    told = [(one.prefix, branch) for one in forest for branch in one.branches]
    assert [sequences[number] for number in numbers] == told
