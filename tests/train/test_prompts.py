"""Prompts from whatever people have: conversations, comparisons, rated answers."""

from __future__ import annotations

import json

import pytest

from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.tokenizer.chat import ChatTemplate
from nextword.tokenizer.special import CHAT_TEMPLATE
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.prompts import prompts_of, read_prompts

USER, ANSWER = {"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}


@pytest.mark.parametrize(
    ("record", "roles"),
    [
        ({"messages": [USER, ANSWER], "meta": {"id": 7}}, ["user", "assistant"]),
        ({"prompt": [USER], "chosen": [ANSWER], "rejected": "no", "meta": {"id": 7}}, ["user"]),
        ({"chosen": [USER, ANSWER], "rejected": [USER], "meta": {"id": 7}}, ["user"]),
        ({"prompt": "?", "completion": "!", "label": True, "meta": {"id": 7}}, ["user"]),
        ({"prompt": [USER], "meta": {"id": 7}}, ["user"]),
    ],
)
def test_every_record_of_people_has_a_prompt(tmp_path, record, roles):
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(record))
    (prompt,) = read_prompts(path)
    assert [message.role for message in prompt.messages] == roles
    assert prompt.messages[0].content == "?" and prompt.meta["id"] == 7


@pytest.mark.parametrize("record", [{}, {"text": "a page"}, {"prompt": []}, {"messages": "?"}, {"prompt": 3}])
def test_a_record_that_asks_nothing_is_named(tmp_path, record):
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps({"prompt": "?"}) + "\n" + json.dumps(record))
    with pytest.raises(BadInput, match=r"records\.jsonl: record 2: "):
        list(read_prompts(path))


def test_a_prompt_that_is_not_text_is_left_out_with_its_reason(corpus):
    tokenizer = Tokenizer.load(corpus.tokenizer)
    tokenizer.config = {**tokenizer.config, "chat_template": CHAT_TEMPLATE}
    picture = [{"type": "image_url", "image_url": {"url": "x"}}]
    asked = [Conversation([Message("user", content)]) for content in ("?", picture)]
    found = prompts_of(asked, ChatTemplate(tokenizer), context=32, room=4)
    assert found.kept == asked[:1]
    assert found.told() == "left out: 1 a message has a part that is no text ('image_url')"
