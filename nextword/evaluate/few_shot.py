"""Worked examples before the question: what makes a base model answer, and its comparison fair.

    Question: What is the signature of math.dist?
    Answer: "dist(p, q, /)" is how to call it.

    Question: How do I call textwrap.indent?
    Answer:

A base model continues documents. Asked the way a finetuned one is, it goes on asking; shown three questions
with their answers it goes on answering, and what finetuning adds is then more than the format. The examples
are in the question's language where there are any, those of its type nearest, and never of the same function
or page. As many of them are shown as leave room for an answer, since a small context holds
few pages; the model ends its answer where it would begin a next question.

`FewShot` is a LanguageModel around another one. It changes conversations only: a text is passed on as it is.
`as_turns` shows the examples as earlier turns of the conversation instead, for models that converse.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import replace

from nextword.common.language_model import Capabilities, Event, LanguageModel, Request
from nextword.common.records import Conversation, Message
from nextword.data.phrases import Lang
from nextword.engine.local import LocalModel
from nextword.engine.prompt import prompt_ids
from nextword.evaluate.form import language
from nextword.evaluate.task import asked, said, text_of

SHOTS = 3
LABELS: dict[Lang, dict[str, str]] = {
    "en": {"user": "Question", "assistant": "Answer", "tool": "Page"},
    "ko": {"user": "질문", "assistant": "답", "tool": "쪽"},
}
BYTES_A_TOKEN = 2
"""A cautious guess, where a model does not say how it cuts a text into tokens."""


class FewShot:
    """A model that is shown up to `shots` of these answered conversations before each question."""

    def __init__(
        self,
        model: LanguageModel,
        examples: Sequence[Conversation],
        shots: int = SHOTS,
        as_turns: bool = False,
    ) -> None:
        self.model, self.examples, self.shots, self.as_turns = model, examples, shots, as_turns

    @property
    def capabilities(self) -> Capabilities:
        """Those of the model."""
        return self.model.capabilities

    def generate(self, requests: Sequence[Request]) -> Iterator[Event]:
        """The model's events, to requests with examples."""
        return self.model.generate([self._shown(request) for request in requests])

    def score(self, prompt: str | list[int], continuation: str | list[int]) -> list[float]:
        """As the model scores."""
        return self.model.score(prompt, continuation)

    def cancel(self, id: str) -> None:
        """Pass it on."""
        self.model.cancel(id)

    def _shown(self, request: Request) -> Request:
        if not isinstance(request.prompt, Conversation):
            return request
        conversation, near = request.prompt, nearest(self.examples, request.prompt, self.shots)
        room = self.capabilities.context - request.sampling.max_new_tokens
        for first in range(len(near) + 1):
            shown = near[first:]
            prompt = as_turns(conversation, shown) if self.as_turns else as_text(conversation, shown)
            if _tokens(self.model, prompt) <= room:
                break
        stop = request.stop if self.as_turns else (*request.stop, *_stops(near))
        return replace(request, prompt=prompt, stop=stop)


def nearest(examples: Sequence[Conversation], conversation: Conversation, shots: int) -> list[Conversation]:
    """The examples most like the question, the likest last; none that asks about the same thing.

    Those of another language only where there is none in the question's.
    """
    meta, lang = conversation.meta, _lang(conversation)
    mine = {meta.get("id"), meta.get("group")} - {None}

    def distance(example: Conversation) -> bool:
        return bool(example.meta.get("type") != meta.get("type"))

    others = [one for one in examples if mine.isdisjoint((one.meta.get("id"), one.meta.get("group")))]
    same = [one for one in others if _lang(one) == lang]
    return heapq.nsmallest(shots, same or others, key=distance)[::-1]


def as_text(conversation: Conversation, examples: Sequence[Conversation]) -> str:
    """The examples and the question as plain text, up to where the answer begins."""
    labels = LABELS[_lang(conversation)]
    preface = [text_of(each) for each in conversation.messages if each.role == "system"]
    worked = [f"{_labelled(each, labels)} {said(each)}" for each in map(_without_system, examples)]
    return "\n\n".join([*preface, *worked, _labelled(conversation, labels)])


def as_turns(conversation: Conversation, examples: Sequence[Conversation]) -> Conversation:
    """The question after the examples, as if they had been asked and answered before it."""
    preface = [each for each in conversation.messages if each.role == "system"]
    earlier = [message for each in map(_without_system, examples) for message in each.messages]
    own = _without_system(conversation).messages
    return replace(conversation, messages=[*preface, *earlier, *own])


def _labelled(conversation: Conversation, labels: dict[str, str]) -> str:
    """Everything but a last answer, with who says it, up to the label of the answer."""
    messages: list[Message] = _without_system(conversation).messages
    if messages and messages[-1].role == "assistant":
        messages = messages[:-1]
    lines = [f"{labels[each.role]}: {text_of(each)}" for each in messages]
    return "\n".join([*lines, f"{labels['assistant']}:"])


def _without_system(conversation: Conversation) -> Conversation:
    kept = [each for each in conversation.messages if each.role != "system"]
    return replace(conversation, messages=kept)


def _stops(examples: Sequence[Conversation]) -> tuple[str, ...]:
    """Where an answer in plain text is over: at the line's end, if the examples' answers have one line."""
    if examples and not any("\n" in said(each) for each in examples):
        return ("\n",)
    return ("\n\n", *(f"\n{words['user']}:" for words in LABELS.values()))


def _tokens(model: LanguageModel, prompt: str | Conversation) -> int:
    if isinstance(model, LocalModel):
        return len(prompt_ids(prompt, model.vocabulary))
    text = prompt if isinstance(prompt, str) else "".join(map(text_of, prompt.messages))
    return len(text.encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN


def _lang(conversation: Conversation) -> Lang:
    named = conversation.meta.get("lang")
    return "ko" if named == "ko" or (named is None and language(asked(conversation)) == "ko") else "en"
