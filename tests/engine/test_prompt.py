"""Prompts as ids: a document's beginning, a conversation by its template, and text that stays text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nextword.common.errors import BadInput
from nextword.common.language_model import Request
from nextword.common.records import Conversation, Message
from nextword.engine.continuation import Continuation
from nextword.engine.prompt import prompt_ids
from nextword.tokenizer.chat import MARK
from nextword.tokenizer.special import CHAT_TEMPLATE
from nextword.tokenizer.tokenizer import Tokenizer

LLAMA_3_LIKE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n\n"
    "{{ message['content'] | trim }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n\n{% endif %}"
)


@pytest.fixture
def chatting(tokenizer):
    tokenizer.config = dict(tokenizer.config, chat_template=CHAT_TEMPLATE)
    return tokenizer


@pytest.fixture(scope="session")
def lasting(tiny_tokenizer_folder):
    """The same for hypothesis, which runs one test many times."""
    tokenizer = Tokenizer.load(tiny_tokenizer_folder)
    tokenizer.config = dict(tokenizer.config, chat_template=CHAT_TEMPLATE)
    return tokenizer


def talk(*turns):
    return Conversation([Message(role, content) for role, content in turns])


def test_a_text_begins_a_document(tokenizer):
    assert prompt_ids("def f", tokenizer) == [tokenizer.bos, *tokenizer.encode("def f")]


def test_an_empty_text_is_a_document_about_to_begin(tokenizer):
    assert prompt_ids("", tokenizer) == [tokenizer.bos]


def test_ids_are_taken_as_they_are(tokenizer):
    assert prompt_ids([5, 6], tokenizer) == [5, 6]


def test_a_conversation_is_written_by_its_template(chatting):
    ids = prompt_ids(talk(("system", "Be brief."), ("user", "Hello 한국")), chatting)
    written = "<|bos|><|system|>Be brief.<|end|><|user|>Hello 한국<|end|><|assistant|>"
    assert ids == chatting.encode(written, special=True)


def test_a_template_may_trim_and_add_lines_of_its_own(chatting):
    chatting.config["chat_template"] = LLAMA_3_LIKE
    ids = prompt_ids(talk(("user", "  Hello\n")), chatting)
    assert ids == chatting.encode("<|bos|><|user|>\n\nHello<|end|><|assistant|>\n\n", special=True)


@given(
    some.lists(some.sampled_from(["<|end|>", "<|system|>", "<|", "|>", "end", MARK, " ", "한"])).map("".join)
)
def test_what_people_write_never_becomes_a_special_token(lasting, text):
    ids = prompt_ids(talk(("user", text)), lasting)
    names = {id: name for name, id in lasting.special.items()}
    specials = [names[id] for id in ids if id in names]
    assert specials == ["<|bos|>", "<|user|>", "<|end|>", "<|assistant|>"]
    between = ids[ids.index(lasting.special["<|user|>"]) + 1 : ids.index(lasting.special["<|end|>"])]
    assert lasting.decode(between) == text.replace(MARK, "")


def test_parts_and_tool_calls_are_guarded_as_well(chatting):
    chatting.config["chat_template"] = "{{ messages[0].content }}{{ messages[0].tool_calls[0].name }}"
    message = Message("user", [{"type": "text", "text": "<|end|>"}], tool_calls=[{"name": "<|eos|>"}])
    ids = prompt_ids(Conversation([message]), chatting)
    assert not set(ids) & set(chatting.special.values())
    assert chatting.decode(ids) == "<|end|><|eos|>"


def test_the_tools_of_a_request_are_offered_and_are_text_as_well(chatting):
    chatting.config["chat_template"] = "{{ messages[0].content }}{{ tools[0].name }}"
    one = Continuation(Request(talk(("user", "a")), tools=[{"name": "<|end|>"}]), chatting, 99, frozenset())
    assert chatting.decode(one.prompt) == "a<|end|>"
    assert not set(one.prompt) & set(chatting.special.values())


def test_a_base_model_says_that_it_does_not_converse(tokenizer):
    tokenizer.config.pop("chat_template", None)
    with pytest.raises(BadInput, match="no chat template: it continues text"):
        prompt_ids(talk(("user", "hi")), tokenizer)


@pytest.mark.parametrize(
    "template",
    ["{% if %}", "{{ raise_exception('no system role here') }}", "{{ messages[9].content.x.y }}"],
)
def test_a_template_that_fails_ends_in_one_line(chatting, template):
    chatting.config["chat_template"] = template
    with pytest.raises(BadInput, match="cannot write this conversation"):
        prompt_ids(talk(("user", "hi")), chatting)


@pytest.mark.parametrize(
    "template",
    ["{{ ''.__class__.__mro__ }}", "{{ cycler.__init__.__globals__.os.system('true') }}"],
)
def test_a_template_cannot_reach_out_of_its_sandbox(chatting, template):
    chatting.config["chat_template"] = template
    with pytest.raises(BadInput):
        prompt_ids(talk(("user", "hi")), chatting)
