"""A request's prompt as token ids: text, ids, or a conversation written by the model's own chat template.

A text begins a document, so it gets the beginning-of-sequence token where the vocabulary has one.

What people write never becomes a special token, however it is spelled: otherwise a message that contains
`<|end|><|system|>` would speak with the system's voice. In a conversation the template's own special tokens
count and the messages' do not, so a mark that Unicode reserves for such private use (U+FDD0, a noncharacter)
is put into every such spelling before the template is filled in, and taken out before the text is encoded.
For all other conversations the ids are exactly those of transformers' `apply_chat_template`. Templates come
with models from anywhere, so Jinja runs them in its sandbox.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from nextword.common.errors import BadInput
from nextword.common.records import Conversation
from nextword.engine.driver import Vocabulary

MARK = "\ufdd0"


def prompt_ids(prompt: str | list[int] | Conversation, vocabulary: Vocabulary) -> list[int]:
    """The ids to continue; BadInput when there are none or one is not in the vocabulary."""
    if isinstance(prompt, str):
        ids = [vocabulary.bos] if vocabulary.bos is not None else []
        ids += vocabulary.encode(prompt)
    elif isinstance(prompt, Conversation):
        ids = conversation_ids(prompt, vocabulary)
    else:
        ids = list(prompt)
        for id in ids:
            if not 0 <= id < vocabulary.vocab_size:
                raise BadInput(f"token {id} is not in the vocabulary of {vocabulary.vocab_size:,}")
    if not ids:
        raise BadInput("the prompt is empty", do="give it at least one token to continue")
    return ids


def conversation_ids(conversation: Conversation, vocabulary: Vocabulary) -> list[int]:
    """The conversation as the model was taught to read it, up to where its own answer begins."""
    if vocabulary.chat_template is None:
        do = "give it a text to continue, or finetune it on conversations first"
        raise BadInput("this model has no chat template: it continues text and does not converse", do=do)
    names = [name for name in vocabulary.special if len(name) > 1]
    pattern = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))) or r"(?!)")
    messages = [_marked(_plain(asdict(message)), pattern) for message in conversation.messages]
    text = _render(vocabulary, messages, _marked(conversation.tools, pattern))
    ids, end = [], 0
    for found in pattern.finditer(text):
        ids += _encode_plain(text[end : found.start()], vocabulary)
        ids.append(vocabulary.special[found.group()])
        end = found.end()
    return ids + _encode_plain(text[end:], vocabulary)


def _encode_plain(text: str, vocabulary: Vocabulary) -> list[int]:
    return vocabulary.encode(text.replace(MARK, "")) if text else []


def _render(vocabulary: Vocabulary, messages: list[Any], tools: list[Any] | None) -> str:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(reason: str) -> None:
        raise jinja2.TemplateError(reason)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = refuse
    bos = next((name for name, id in vocabulary.special.items() if id == vocabulary.bos), "")
    try:
        template = environment.from_string(vocabulary.chat_template or "")
        return template.render(messages=messages, tools=tools, bos_token=bos, add_generation_prompt=True)
    except (jinja2.TemplateError, TypeError, ValueError, KeyError) as error:
        raise BadInput(f"the chat template cannot write this conversation ({error})") from error


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if value is not None}


def _marked(value: Any, pattern: re.Pattern[str]) -> Any:
    """The value with a mark inside every spelling of a special token, at any depth."""
    if isinstance(value, str):
        return pattern.sub(lambda found: found[0][0] + MARK + found[0][1:], value.replace(MARK, ""))
    if isinstance(value, dict):
        return {name: _marked(item, pattern) for name, item in value.items()}
    if isinstance(value, list):
        return [_marked(item, pattern) for item in value]
    return value
