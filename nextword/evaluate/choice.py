"""Multiple choice by log-likelihood: the model does not answer, it is asked which answer it finds likeliest.

Each option is scored as the continuation of the same prompt, log P(option | prompt), and the best one is the
model's choice. So a base model can be examined that has never followed an instruction, and so can any stage
after it, with the same text: the prompt is plain, whatever the model was finetuned on. Two readings, as in
lm-evaluation-harness (`acc`, and `acc_bytes`; its `acc_norm` divides by characters, which comes to the same
for options of one script):

    sum        the sum over the option's tokens. Fair for letters and labels; prefers short options otherwise
    per byte   the sum divided by the option's UTF-8 bytes (Brown et al. 2020 used tokens, but those differ
               from model to model)

An option begins with the space that separates it from the prompt: tokens of most vocabularies begin with one.
The bytes of that space are not counted. Examples stand before the question, as many as fit into the context.
A question that does not fit even alone is a failed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nextword.common.errors import BadInput
from nextword.common.language_model import LanguageModel
from nextword.common.progress import Progress
from nextword.common.records import Conversation, Message
from nextword.data.phrases import Lang
from nextword.evaluate.exam import Marked, Reply


@dataclass(frozen=True)
class Choice:
    """A question up to where its answer begins, the options (each with its space), and which one is right."""

    id: str
    prompt: str
    options: tuple[str, ...]
    right: int
    lang: Lang = "en"
    type: str = ""
    group: str = ""
    preface: str = ""

    @property
    def worked(self) -> str:
        """The question with its answer."""
        return self.prompt + self.options[self.right]


@dataclass
class Choices:
    """Questions with options. `worked`: those of a type are examples for that type, "" for all types."""

    name: str
    choices: Sequence[Choice]
    worked: Sequence[Choice] = ()
    shots: int = 3

    def prompts(self, choice: Choice) -> list[str]:
        """The question after its examples, then after fewer and fewer of them."""
        examples = [each.worked for each in self.worked if each.type in ("", choice.type)][: self.shots]
        preface = [choice.preface] if choice.preface else []
        return [
            "\n\n".join([*preface, *examples[first:], choice.prompt]) for first in range(len(examples) + 1)
        ]


@dataclass(frozen=True)
class Chosen:
    """Each option's log-likelihood in nats, and which one is best by either reading."""

    sums: tuple[float, ...]
    by_sum: int
    by_bytes: int


def chosen(model: LanguageModel, prompt: str, options: Sequence[str]) -> Chosen:
    """The option that the model finds likeliest after the prompt; the first one of equals.

    Raises BadInput when an option has no text or does not fit the context.
    """
    if not all(option.strip() for option in options):
        raise BadInput("an option has no text", where=prompt[-60:])
    sums = [sum(model.score(prompt, option)) for option in options]
    sizes = [len(option.removeprefix(" ").encode("utf-8", "surrogatepass")) for option in options]
    each = range(len(options))
    return Chosen(
        tuple(sums), max(each, key=lambda at: sums[at]), max(each, key=lambda at: sums[at] / sizes[at])
    )


def chosen_all(model: LanguageModel, task: Choices, progress: Progress | None = None) -> list[Marked]:
    """Every question put to the model; `reward` is by sum, the detail `by_bytes` per byte."""
    found = []
    for choice in task.choices:
        found.append(_marked(model, task, choice))
        if progress:
            progress.advance()
    return found


def _marked(model: LanguageModel, task: Choices, choice: Choice) -> Marked:
    meta = {"id": choice.id, "lang": choice.lang, "type": choice.type, "group": choice.group or choice.id}
    gold = choice.options[choice.right].strip()
    asked = Conversation([Message("user", choice.prompt)], meta={**meta, "gold": gold})
    error = ""
    for prompt in task.prompts(choice):
        try:
            best = chosen(model, prompt, choice.options)
        except BadInput as refused:
            error = str(refused)
            continue
        reply = Reply(choice.options[best.by_sum].strip())
        right = (float(best.by_sum == choice.right), float(best.by_bytes == choice.right))
        return Marked(asked, reply, right[0], {"by_bytes": right[1]})
    return Marked(asked, Reply("", "failed", error=error), 0.0, {"by_bytes": 0.0})
