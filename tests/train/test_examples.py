"""Conversations as rows: masked, packed whole, reproducible, and nothing silently lost."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.model.config import ModelConfig
from nextword.model.fused_loss import IGNORED
from nextword.model.llama import Llama
from nextword.tokenizer.chat import ChatTemplate
from nextword.tokenizer.special import CHAT_TEMPLATE
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.examples import Example, ExampleBatches, batch_of, examples_of, pack
from nextword.train.step import NextTokenLoss

CPU = torch.device("cpu")


def talk(*turns):
    return Conversation([Message(role, content) for role, content in turns])


@pytest.fixture(scope="module")
def chat(corpus):
    tokenizer = Tokenizer.load(corpus.tokenizer)
    tokenizer.config = {**tokenizer.config, "chat_template": CHAT_TEMPLATE}
    return ChatTemplate(tokenizer)


def example(length, learnt):
    return Example(tuple(range(1, length + 1)), (0,) * (length - learnt) + (1,) * learnt)


def test_what_cannot_be_learnt_from_is_counted_with_its_reason(chat):
    found = examples_of(
        [
            talk(("user", "q"), ("assistant", "a")),
            talk(("user", "q")),
            talk(("user", "q " * 99), ("assistant", "a")),
            talk(("user", "q"), ("assistant", " ")),
        ],
        chat,
        context=32,
    )
    assert len(found.kept) == 1
    assert found.told() == (
        "left out: 1 nothing to learn in this conversation: no message of the assistant, "
        "1 longer than the context of 32 tokens, 1 with an empty answer"
    )


def test_answers_that_the_template_rewrites_are_counted(corpus):
    tokenizer = Tokenizer.load(corpus.tokenizer)
    mark = "('!' if loop.last and message['role'] == 'assistant' else '')"
    forgetful = CHAT_TEMPLATE.replace("message['content']", f"message['content'] ~ {mark}")
    tokenizer.config = {**tokenizer.config, "chat_template": forgetful}
    turns = [("user", "q"), ("assistant", "a"), ("user", "q"), ("assistant", "b")]
    found = examples_of([talk(*turns)], ChatTemplate(tokenizer), context=32)
    assert [one.targets for one in found.kept] == [3]  # b, the mark and its stop token
    assert found.told() == "left out: 1 answers that the template rewrites later on"


def test_what_has_parts_or_calls_is_learnt_as_text_or_counted(chat):
    call, text = [{"id": "1", "function": {"name": "search"}}], [{"type": "text", "text": "a"}]
    picture = [{"type": "image_url", "image_url": {"url": "x"}}]
    asked, calling = Message("user", "q"), Message("assistant", "", call)
    found = examples_of(
        [
            talk(("user", "q"), ("assistant", "a")),
            talk(("user", "q"), ("assistant", text)),
            Conversation([asked, calling, Message("tool", "p"), Message("assistant", "a")]),
            Conversation([asked, calling]),
            talk(("user", picture), ("assistant", "a")),
            talk(("user", "q"), ("assistant", [{"type": "text", "text": " "}])),
        ],
        chat,
        context=32,
    )
    assert found.kept[0] == found.kept[1]
    assert [each.targets for each in found.kept] == [2, 2, 2]  # "a" and its stop token
    assert found.left_out == {
        "answers that only call tools, which the template does not write": 1,
        "nothing to learn in this conversation: it only calls tools, which the template does not write": 1,
        "a message has a part that is no text ('image_url')": 1,
        "with an empty answer": 1,
    }


def test_an_answer_as_long_as_the_context_just_fits(chat):
    one = talk(("user", "q"), ("assistant", "a"))
    length = len(chat.masked(one).ids)
    assert examples_of([one], chat, length - 1).kept
    assert not examples_of([one], chat, length - 2).kept


@given(some.lists(some.integers(1, 50), min_size=1, max_size=200), some.integers(0, 5))
def test_every_example_stands_in_exactly_one_row_and_no_row_is_too_long(lengths, seed):
    rows = pack(lengths, 50, str(seed))
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in row) <= 50 for row in rows)
    assert all(rows)


def test_short_conversations_fill_their_rows():
    lengths = [20 + n * 37 % 180 for n in range(500)]
    rows = pack(lengths, 512, "0")
    assert sum(lengths) / (512 * len(rows)) > 0.9


def test_a_row_holds_inputs_targets_and_who_may_see_whom():
    batch = batch_of([[example(4, 2), example(3, 1)]], context=7, pad=0)
    assert batch.inputs.tolist() == [[1, 2, 3, 1, 2, 0, 0]]
    assert batch.targets.tolist() == [[IGNORED, 3, 4, IGNORED, 3, IGNORED, IGNORED]]
    assert batch.documents.tolist() == [[0, 0, 0, 1, 1, -1, -1]]


def test_a_packed_conversation_learns_what_it_would_alone():
    torch.manual_seed(0)
    model = Llama(ModelConfig.of_depth(1, 64, 32))
    model.initialise(seed=1)
    loss = NextTokenLoss(model, only_scored=True)
    one, two = example(9, 4), Example(tuple(range(20, 27)), (0, 0, 1, 1, 1, 1, 1))
    together = batch_of([[one, two]], 32, pad=0)
    packed = loss(together.inputs, together.targets, together.documents)
    apart = sum(
        loss(alone.inputs, alone.targets) for alone in (batch_of([[each]], 32, pad=0) for each in (one, two))
    )
    assert packed.item() == pytest.approx(apart.item(), rel=1e-5)


def test_leaving_out_what_is_not_learnt_changes_neither_loss_nor_gradient():
    model = Llama(ModelConfig.of_depth(1, 64, 32))
    model.initialise(seed=1)
    batch = batch_of([[example(9, 4)], [example(20, 3)]], 32, pad=0)
    found = []
    for only_scored in (False, True):
        model.zero_grad()
        loss = NextTokenLoss(model, only_scored)(batch.inputs, batch.targets, batch.documents)
        loss.backward()
        found.append((loss.detach(), model.lm_head.weight.grad.clone(), model.model.norm.weight.grad.clone()))
    for plain, short in zip(*found, strict=True):
        assert torch.allclose(plain, short, atol=1e-5)


def batches(rows=4, seed=3, rank=0, world=1):
    examples = [example(3 + n % 17, 1 + n % 3) for n in range(60)]
    return ExampleBatches(examples, rows, 32, pad=0, seed=seed, device=CPU, rank=rank, world=world)


def test_the_same_seed_gives_the_same_batches_and_another_gives_others():
    one, same, other = batches(), batches(), batches(seed=4)
    first = [one.next().inputs for _ in range(5)]
    assert all(torch.equal(mine, same.next().inputs) for mine in first)
    assert not all(torch.equal(mine, other.next().inputs) for mine in first)


def test_a_position_continues_at_the_exact_row():
    one, two = batches(), batches()
    for _ in range(7):
        one.next()
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.next().inputs, two.next().inputs)


def test_two_processes_share_the_batch_of_one():
    whole, halves = batches(), [batches(rank=rank, world=2) for rank in (0, 1)]
    for _ in range(6):
        together = torch.cat([half.next().inputs for half in halves])
        assert torch.equal(whole.next().inputs, together)


def test_every_example_is_seen_once_an_epoch():
    one = batches(rows=1)
    seen = sum(int((one.next().targets != IGNORED).sum()) for _ in range(one.rows_an_epoch))
    assert seen == sum(each.targets for each in one.examples)


def test_examples_with_nothing_to_learn_are_refused():
    with pytest.raises(BadInput, match="no example has anything to learn"):
        ExampleBatches([example(5, 0)], 2, 32, pad=0, seed=0, device=CPU)
