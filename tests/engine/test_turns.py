"""What fits into a context: the oldest turns go first, the system message never."""

from __future__ import annotations

import pytest

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.engine.fake import FakeModel
from nextword.engine.local import LocalModel
from nextword.engine.prompt import prompt_ids
from nextword.engine.turns import fitting
from nextword.tokenizer.special import CHAT_TEMPLATE
from nextword.tokenizer.tokenizer import Tokenizer
from tests.engine.test_quote import Wishful

SYSTEM = Message("system", "You are a lamp.")


@pytest.fixture
def model(tiny_tokenizer_folder):
    tokenizer = Tokenizer.load(tiny_tokenizer_folder)
    tokenizer.config = dict(tokenizer.config, chat_template=CHAT_TEMPLATE)
    driver = Wishful(tokenizer, "x")
    driver.context = 120
    return LocalModel(driver, tokenizer, [])


def turns(count):
    said = [(Message("user", f"Question {n}?"), Message("assistant", f"Answer {n}.")) for n in range(count)]
    return [SYSTEM, *(message for turn in said for message in turn), Message("user", "And now?")]


def length(model, messages):
    return len(prompt_ids(Conversation(messages), model.vocabulary))


def test_a_conversation_that_fits_stays_whole(model):
    assert fitting(model, turns(1), 20) == turns(1)


@pytest.mark.parametrize("room", [1, 40, 60, 1000])
def test_the_oldest_turns_go_whole_and_only_as_many_as_must(model, room):
    kept = fitting(model, turns(20), room)
    dropped = len(turns(20)) - len(kept)
    assert kept == [SYSTEM, *turns(20)[1 + dropped :]] and dropped % 2 == 0
    most = 120 - min(room, 60)  # half of the context is an answer's at most
    assert length(model, kept) <= most < length(model, [SYSTEM, *turns(20)[dropped - 1 :]])


def test_the_last_question_stays_however_long_it_is(model):
    long = [SYSTEM, Message("user", "word " * 300)]
    assert fitting(model, [*turns(2), *long[1:]], 20) == long


def test_a_model_elsewhere_is_given_everything():
    assert fitting(FakeModel("x", context=1), turns(20), 20) == turns(20)


def test_a_model_that_does_not_converse_is_refused(tiny_model, tiny_tokenizer_folder):
    with pytest.raises(BadInput, match="no chat template"):
        fitting(engine.wrap(tiny_model, Tokenizer.load(tiny_tokenizer_folder)), turns(1), 20)
