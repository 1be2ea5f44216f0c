"""The chat template: how a conversation becomes tokens, and which of them the assistant must say.

A template is Jinja that comes with a model from anywhere, so it runs in Jinja's sandbox. What people write
never becomes a special token, however it is spelled: otherwise a message that contains `<|end|><|system|>`
would speak with the system's voice. The template's own special tokens count and the messages' do not, so a
mark that Unicode reserves for such private use (U+FDD0, a noncharacter) is put into every such spelling
before the template is filled in, and taken out before the text is encoded. For all other conversations the
ids are exactly those of transformers' `apply_chat_template`; but in Llama 2's layout text after a special
token begins with a space, as SentencePiece and llama.cpp have it and transformers 5 has not.

Finetuning learns only what the assistant must say. No template marks that, so it is found by writing the
conversation twice: once as it stands before an answer, generation prompt included, and once with the answer.
What the second has more is the answer and the token that ends it. Two ways to go wrong are known from
others' bug reports and are looked for by `check`, before any training: a template whose generation prompt is
missing (then the answer's own header would have to be said by the model), and one that does not end an
answer with a special token (then the model never learns to stop).

Some templates rewrite earlier answers (Qwen3 removes their thoughts). An answer that is not written the same
way once the conversation goes on is left out of the loss and counted in `Masked.left_out`. So is, in
`Masked.only_calls`, an answer that calls tools without a word, where the template writes no calls (ours does
not): what is left of it is the stop token, and learning that would be learning to say nothing.

OpenAI's content may be a list of parts. Templates put content into their text as it is, and Jinja would write
a list as Python does, so parts of text are joined before the template is filled in; any other part is
refused, since no text stands for it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from nextword.common.dialogue import plain, text_in
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message

MARK = "\ufdd0"
ASKED, ANSWER = [Message("user", "What comes next?")], "The next word."


class Vocabulary(Protocol):
    """What writing a conversation needs of a tokenizer."""

    @property
    def bos(self) -> int | None:
        """The token that begins a document, if there is one."""
        ...

    @property
    def special(self) -> dict[str, int]:
        """Special tokens by the way they are written."""
        ...

    @property
    def chat_template(self) -> str | None:
        """The Jinja template that writes a conversation, if there is one."""
        ...

    def encode(self, text: str) -> list[int]:
        """Ids of plain text: what looks like a special token in it is text."""
        ...

    def token_bytes(self, id: int) -> bytes:
        """The bytes of one token; b"" for a special one."""
        ...


@dataclass(frozen=True)
class Masked:
    """A conversation as ids, with mask 1 on what the assistant must say, its stop token included.

    left_out: answers that the template writes differently once the conversation goes on. only_calls: answers
    without a text that call tools, where the template does not write the calls.
    """

    ids: list[int]
    mask: list[int]
    left_out: int = 0
    only_calls: int = 0


class ChatTemplate:
    """A vocabulary's template, filled in and encoded."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """BadInput when the vocabulary has no template."""
        if vocabulary.chat_template is None:
            do = "give it a text to continue, or finetune it on conversations first"
            raise BadInput("this model has no chat template: it continues text and does not converse", do=do)
        self.vocabulary = vocabulary
        self._source = vocabulary.chat_template
        names = sorted((name for name in vocabulary.special if len(name) > 1), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, names)) or r"(?!)")
        self._template: Any = None

    def ids(self, conversation: Conversation, generation_prompt: bool = True) -> list[int]:
        """The conversation as the model was taught to read it, up to where its next answer begins.

        Raises BadInput for content that is not text, and for what the template refuses.
        """
        messages = [self._marked(_flat(message)) for message in plain(conversation.messages)]
        text = self._rendered(messages, self._marked(conversation.tools), generation_prompt)
        ids, end = [], 0
        for found in self._special.finditer(text):
            ids += self._encoded(text[end : found.start()])
            ids.append(self.vocabulary.special[found.group()])
            end = found.end()
        return ids + self._encoded(text[end:])

    def masked(self, conversation: Conversation) -> Masked:
        """Ids and mask of a whole conversation; BadInput when it has no answer that can be learnt."""
        messages, whole = conversation.messages, self.ids(conversation, generation_prompt=False)
        mask, left_out, only_calls = [0] * len(whole), 0, 0
        answers = [number for number, message in enumerate(messages) if message.role == "assistant"]
        for number in answers:
            before = self.ids(replace(conversation, messages=messages[:number]))
            after = self.ids(replace(conversation, messages=messages[: number + 1]), generation_prompt=False)
            end = self._end_of_answer(after, len(before))
            if end is None or whole[: len(before)] != before or whole[:end] != after[:end]:
                left_out += 1
                continue
            if self._is_bare(conversation, number, after):
                only_calls += 1
                continue
            mask[len(before) : end] = [1] * (end - len(before))
        if not any(mask):
            reason = "the template writes no answer of it" if answers else "no message of the assistant"
            if only_calls:
                reason = "it only calls tools, which the template does not write"
            raise BadInput(f"nothing to learn in this conversation: {reason}")
        return Masked(whole, mask, left_out, only_calls)

    @property
    def stop_ids(self) -> frozenset[int]:
        """The tokens with which the template ends an answer; empty when it ends it with none."""
        before, after = self._probe()
        end = self._end_of_answer(after, len(before))
        return frozenset() if end is None else frozenset({after[end - 1]})

    def check(self) -> None:
        """BadInput when this template cannot be trained with: see the module's docstring."""
        before, after = self._probe()
        do = "mend `chat_template` in tokenizer_config.json"
        if after[: len(before)] != before:
            raise BadInput("the chat template writes a question differently once it is answered", do=do)
        end = self._end_of_answer(after, len(before))
        if end is None:
            raise BadInput("the chat template ends an answer without a stop token", do=do)
        said = after[len(before) : end - 1]
        text = b"".join(map(self.vocabulary.token_bytes, said)).decode("utf-8", "replace").strip()
        if not text.endswith(ANSWER):
            raise BadInput("the chat template does not write the answer as it stands", do=do)
        has_header = text != ANSWER or said[0] in self.vocabulary.special.values()
        if has_header and before == self.ids(Conversation(ASKED), generation_prompt=False):
            raise BadInput("the chat template has no generation prompt (add_generation_prompt)", do=do)

    def _probe(self) -> tuple[list[int], list[int]]:
        """The same small conversation before and with its answer."""
        answered = Conversation([*ASKED, Message("assistant", ANSWER)])
        return self.ids(Conversation(ASKED)), self.ids(answered, generation_prompt=False)

    def _is_bare(self, conversation: Conversation, number: int, written: list[int]) -> bool:
        """Whether this answer has no text, and its calls of tools leave no trace in how it is written."""
        message = conversation.messages[number]
        if not message.tool_calls or text_in(message.content).strip():
            return False
        without = [*conversation.messages[:number], replace(message, tool_calls=None)]
        return self.ids(replace(conversation, messages=without), generation_prompt=False) == written

    def _end_of_answer(self, ids: list[int], start: int) -> int | None:
        """One past the last special token after `start`; None where there is none."""
        known = set(self.vocabulary.special.values())
        return next((n + 1 for n in range(len(ids) - 1, start - 1, -1) if ids[n] in known), None)

    def _encoded(self, text: str) -> list[int]:
        return self.vocabulary.encode(text.replace(MARK, "")) if text else []

    def _rendered(self, messages: list[Any], tools: Any, generation_prompt: bool) -> str:
        import jinja2

        vocabulary = self.vocabulary
        bos = next((name for name, id in vocabulary.special.items() if id == vocabulary.bos), "")
        try:
            if self._template is None:
                self._template = _sandbox().from_string(self._source)
            text: str = self._template.render(
                messages=messages, tools=tools, bos_token=bos, add_generation_prompt=generation_prompt
            )
        except (jinja2.TemplateError, TypeError, ValueError, KeyError) as error:
            raise BadInput(f"the chat template cannot write this conversation ({error})") from error
        return text

    def _marked(self, value: Any) -> Any:
        """The value with a mark inside every spelling of a special token, at any depth."""
        if isinstance(value, str):
            return self._special.sub(lambda found: found[0][0] + MARK + found[0][1:], value.replace(MARK, ""))
        if isinstance(value, dict):
            return {name: self._marked(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._marked(item) for item in value]
        return value


def _flat(message: dict[str, Any]) -> dict[str, Any]:
    """The message with its parts as one text; BadInput names a part that is none."""
    content = message["content"]
    if isinstance(content, str):
        return message
    if others := [part.get("type") for part in content if part.get("type") != "text"]:
        raise BadInput(f"a message has a part that is no text ({others[0]!r:.40})", do="leave it out")
    return {**message, "content": text_in(content)}


def _sandbox() -> Any:
    """Jinja as transformers sets it up for templates, for theirs are written against it."""
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(reason: str) -> None:
        raise jinja2.TemplateError(reason)

    class Generation(jinja2.ext.Extension):
        """{% generation %}...{% endgeneration %}, with which some templates mark answers: what is in it."""

        tags = {"generation"}  # noqa: RUF012 (as Jinja declares it)

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    environment.filters["tojson"] = _json
    return environment


def _json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as it is; Jinja's own would escape it for HTML and write Korean in numbers."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
