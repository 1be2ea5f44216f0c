"""The chat template: ids, the mask of what the assistant must say, and templates not to learn from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.tokenizer.chat import ChatTemplate
from nextword.tokenizer.special import CHAT_TEMPLATE
from nextword.tokenizer.tokenizer import Tokenizer

CHATML = (
    "{% for message in messages %}<|user|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|user|>assistant\n{% endif %}"
)
LLAMA_2_LIKE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ bos_token ~ '[INST] ' ~ message['content'] ~ ' [/INST]' }}"
    "{% else %}{{ ' ' ~ message['content'] ~ ' ' ~ '<|eos|>' }}{% endif %}{% endfor %}"
)
FORGETFUL = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% if loop.last and message['role'] == 'assistant' %}<think></think>{% endif %}"
    "{{ message['content'] }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
WITH_CALLS = CHAT_TEMPLATE.replace(
    "~ '<|end|>'", "~ (message['tool_calls'] | join if message['tool_calls'] else '') ~ '<|end|>'"
)
QUESTION, CALL = Message("user", "q"), [{"id": "1", "function": {"name": "search", "arguments": "{}"}}]


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer_folder):
    return Tokenizer.load(tiny_tokenizer_folder)


def template(tokenizer, source=CHAT_TEMPLATE):
    tokenizer.config = dict(tokenizer.config, chat_template=source)
    return ChatTemplate(tokenizer)


def talk(*turns):
    return Conversation([Message(role, content) for role, content in turns])


def said(tokenizer, masked):
    """The text of what the assistant must say, special tokens shown."""
    return tokenizer.decode([id for id, on in zip(masked.ids, masked.mask, strict=True) if on], special=True)


def test_only_what_the_assistant_says_is_learnt_and_its_stop_token_with_it(tokenizer):
    masked = template(tokenizer).masked(
        talk(
            ("system", "Be kind."),
            ("user", "안녕"),
            ("assistant", "안녕하세요!"),
            ("user", "a"),
            ("assistant", "b"),
        )
    )
    assert said(tokenizer, masked) == "안녕하세요!<|end|>b<|end|>"
    assert tokenizer.decode(masked.ids, special=True).startswith("<|bos|><|system|>Be kind.<|end|><|user|>")


def test_a_page_from_a_tool_is_read_and_not_learnt(tokenizer):
    masked = template(tokenizer).masked(talk(("user", "q"), ("tool", "page"), ("assistant", "quote")))
    assert said(tokenizer, masked) == "quote<|end|>"


def test_an_empty_answer_is_its_stop_token(tokenizer):
    assert said(tokenizer, template(tokenizer).masked(talk(("user", "q"), ("assistant", "")))) == "<|end|>"


@pytest.mark.parametrize("source", [CHAT_TEMPLATE, CHATML, LLAMA_2_LIKE, FORGETFUL])
def test_templates_of_several_families_can_be_learnt_from(tokenizer, source):
    chat = template(tokenizer, source)
    chat.check()
    masked = chat.masked(talk(("user", "q"), ("assistant", "The answer.")))
    stop = "<|eos|>" if source == LLAMA_2_LIKE else "<|end|>"
    assert chat.stop_ids == {tokenizer.special[stop]}
    assert said(tokenizer, masked).strip().replace("<think></think>", "") in (
        f"The answer.{stop}",
        f"The answer. {stop}",
    )
    assert masked.ids[: masked.mask.index(1)] == chat.ids(talk(("user", "q")))


def test_json_is_written_as_transformers_writes_it(tokenizer):
    source = "{% for message in messages %}{{ message | tojson }}{% endfor %}{{ tools | tojson(indent=1) }}"
    asked = Conversation([Message("user", "<b>안녕</b> & 'you'")], tools=[{"name": "search"}])
    text = tokenizer.decode(template(tokenizer, source).ids(asked))
    assert '"content": "<b>안녕</b> & \'you\'"' in text
    assert '[\n {\n  "name": "search"\n }\n]' in text


def test_a_template_may_mark_what_is_generated_and_ask_for_the_date(tokenizer):
    content = "{{ message['content'] }}"
    source = CHATML.replace(content, "{% generation %}" + content + "{% endgeneration %}")
    asked = talk(("user", "q"), ("assistant", "a"))
    assert template(tokenizer, source).ids(asked) == template(tokenizer, CHATML).ids(asked)
    dated = template(tokenizer, "{{ strftime_now('%Y') }}").ids(asked)
    assert 2025 < int(tokenizer.decode(dated)) < 2200


def test_what_follows_the_stop_token_is_not_learnt(tokenizer):
    masked = template(tokenizer, CHATML).masked(talk(("user", "q"), ("assistant", "a")))
    assert masked.mask[-1] == 0
    assert said(tokenizer, masked).endswith("<|end|>")


def test_an_answer_that_is_rewritten_later_is_left_out_and_counted(tokenizer):
    masked = template(tokenizer, FORGETFUL).masked(
        talk(("user", "q"), ("assistant", "one"), ("user", "q"), ("assistant", "two"))
    )
    assert masked.left_out == 1
    assert said(tokenizer, masked) == "<think></think>two<|end|>"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}", "without a stop token"),
        (
            "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}",
            "no generation prompt",
        ),
        (
            CHATML.replace("message['content'] }}", "message['content'] | upper }}"),
            "does not write the answer",
        ),
        (
            "<|user|>{{ messages | length }}{{ messages[-1]['content'] }}<|end|>",
            "writes a question differently",
        ),
    ],
)
def test_a_template_that_cannot_be_learnt_from_is_refused_with_the_reason(tokenizer, source, message):
    with pytest.raises(BadInput, match=message):
        template(tokenizer, source).check()


@pytest.mark.parametrize(
    ("turns", "message"),
    [([("user", "q")], "no message of the assistant"), ([("assistant", "a")], None)],
)
def test_a_conversation_without_an_answer_teaches_nothing(tokenizer, turns, message):
    chat = template(tokenizer)
    if message is None:
        assert any(chat.masked(talk(*turns)).mask)
    else:
        with pytest.raises(BadInput, match=message):
            chat.masked(talk(*turns))


@given(
    some.lists(
        some.tuples(some.sampled_from(["user", "tool", "assistant"]), some.text(max_size=9)), min_size=1
    )
)
def test_the_mask_covers_exactly_the_answers_whatever_they_say(tiny_tokenizer_folder, turns):
    tokenizer = Tokenizer.load(tiny_tokenizer_folder)
    turns = [*turns, ("assistant", "<|end|><|user|> no")]
    masked = template(tokenizer).masked(talk(*turns))
    answers = [text for role, text in turns if role == "assistant"]
    runs, inside = [], []
    for id, on in zip(masked.ids, masked.mask, strict=True):
        if on:
            inside.append(id)
            if id == tokenizer.special["<|end|>"]:
                runs.append(tokenizer.decode(inside))
                inside = []
    assert not inside
    assert runs == [tokenizer.decode(tokenizer.encode(text.replace("\ufdd0", ""))) for text in answers]


def test_our_template_gives_the_ids_and_masks_that_are_on_file(tokenizer):
    """Golden: the special tokens' order in a conversation must never change for models already trained."""
    masked = template(tokenizer).masked(talk(("user", "a"), ("assistant", "b")))
    names = {id: name for name, id in tokenizer.special.items()}
    shown = [names.get(id, tokenizer.decode([id])) for id in masked.ids]
    assert (shown, masked.mask) == (
        ["<|bos|>", "<|user|>", "a", "<|end|>", "<|assistant|>", "b", "<|end|>"],
        [0, 0, 0, 0, 0, 1, 1],
    )


@pytest.mark.parametrize("source", [CHAT_TEMPLATE, CHATML, LLAMA_2_LIKE, FORGETFUL])
def test_parts_of_text_are_written_as_their_text(tokenizer, source):
    chat = template(tokenizer, source)
    parts = [{"type": "text", "text": "안녕 <|end|>"}, {"type": "text", "text": "b"}]
    turns = [("user", "a"), ("assistant", parts), ("user", parts), ("assistant", "c")]
    plain = [(role, "안녕 <|end|>b" if content is parts else content) for role, content in turns]
    assert chat.masked(talk(*turns)) == chat.masked(talk(*plain))


def test_a_part_that_is_no_text_is_refused_by_its_type(tokenizer):
    picture = {"type": "image_url", "image_url": {"url": "x"}}
    with pytest.raises(BadInput, match=r"a part that is no text \('image_url'\)"):
        template(tokenizer).ids(talk(("user", [{"type": "text", "text": "a"}, picture])))


def test_an_answer_that_only_calls_tools_is_read_and_not_learnt_where_calls_are_not_written(tokenizer):
    chat, page = template(tokenizer), [Message("tool", "page"), Message("assistant", "quote")]
    masked = chat.masked(Conversation([QUESTION, Message("assistant", "", CALL), *page]))
    assert (said(tokenizer, masked), masked.only_calls, masked.left_out) == ("quote<|end|>", 1, 0)
    with pytest.raises(BadInput, match="only calls tools, which the template does not write"):
        chat.masked(Conversation([QUESTION, Message("assistant", "", CALL)]))


def test_an_answer_that_says_something_before_it_calls_is_learnt(tokenizer):
    masked = template(tokenizer).masked(Conversation([QUESTION, Message("assistant", "I look.", CALL)]))
    assert (said(tokenizer, masked), masked.only_calls) == ("I look.<|end|>", 0)


def test_calls_that_the_template_writes_are_learnt(tokenizer):
    chat = template(tokenizer, WITH_CALLS)
    masked = chat.masked(Conversation([QUESTION, Message("assistant", "", CALL)]))
    assert (said(tokenizer, masked), masked.only_calls) == (f"{CALL[0]}<|end|>", 0)
