"""Conversations that teach nothing but to copy: find a place in what was shown, and say it letter for letter.

A small model trained on questions and answers alone writes answers that look right and were never on the page
(in a trial 0 of 118 descriptions were copied, though each stood in the prompt). To copy what came after an
earlier occurrence takes a circuit of two attention heads (Olsson et al. 2022, "In-context learning and
induction heads"), and it is learnt from text in which nothing else helps. So half of these rows are made of
strings that mean nothing and occur nowhere else; the others are lines of real pages, which will be quoted.

    repeat      Repeat this line exactly: ...                    the line
    begins      Quote the line of the page that begins with ...  "the line"
    sentence    Quote the first (second, last) sentence.         "the sentence"
    between     What is written between the quotation marks?     "what is written there"
    value       What is the value of kopu?                       "kopu = 71"
    default     What is the default of kopu in ...?              "kopu=71"

The page stands in a tool's message, as search gives it. All but the repeated line are answered by a
quotation, as every question about a page is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nextword.common.records import Conversation, Message
from nextword.data.phrases import LANGUAGES, Lang

SHORTEST, LONGEST = 16, 100
"""Letters of a line worth copying."""
NOT_WORTH = re.compile(r"[\"“”]|(.)\1{5}|^[\W_]+$")
CONSONANTS, VOWELS = "bdfghjklmnprstvz", "aeiou"

WORDINGS: dict[str, dict[Lang, Sequence[str]]] = {
    "repeat": {
        "en": ("Repeat this line exactly:\n{line}", "Copy this line letter for letter:\n{line}"),
        "ko": (
            "다음 줄을 그대로 따라 쓰세요.\n{line}",
            "아래 줄을 한 글자도 바꾸지 말고 옮겨 적어 주세요.\n{line}",
        ),
    },
    "begins": {
        "en": (
            "Quote the line of the page that begins with: {start}",
            "How does the line go on that starts with {start}?",
        ),
        "ko": (
            "이 쪽에서 다음으로 시작하는 줄을 인용하세요: {start}",
            "다음과 같이 시작하는 줄 전체가 무엇인가요? {start}",
        ),
    },
    "sentence": {
        "en": ("Quote the {which} sentence of the page.", "What is the {which} sentence there?"),
        "ko": ("이 쪽의 {which} 문장을 인용하세요.", "{which} 문장이 무엇인가요?"),
    },
    "between": {
        "en": (
            "What is written between the quotation marks?",
            "Which words stand in quotation marks on the page?",
        ),
        "ko": ("따옴표 사이에 무엇이라고 쓰여 있나요?", "이 쪽에서 따옴표 안에 있는 말은 무엇인가요?"),
    },
    "value": {
        "en": ("What is the value of {name}?", "Which line sets {name}?"),
        "ko": ("{name}의 값은 무엇인가요?", "{name}의 값을 정하는 줄은 어느 것인가요?"),
    },
    "default": {
        "en": ("What is the default of {name} in {function}?", "Which default does {function} give {name}?"),
        "ko": ("{function}에서 {name}의 기본값은 무엇인가요?", "{function}의 {name} 기본값을 알려 주세요."),
    },
}
ORDINALS: dict[Lang, tuple[str, str, str]] = {
    "en": ("first", "second", "last"),
    "ko": ("첫 번째", "두 번째", "마지막"),
}
AROUND: dict[Lang, Sequence[tuple[str, str]]] = {
    "en": (("The label on the box says “", "” in large letters."), ("He wrote “", "” and closed the book.")),
    "ko": (("상자에는 “", "”라고 크게 적혀 있습니다."), ("그는 “", "”라고 쓰고 책을 덮었습니다.")),
}


@dataclass(frozen=True)
class Sources:
    """Real lines to copy, by language, without quotation marks; from `lines_of`."""

    lines: Mapping[Lang, Sequence[str]]


@dataclass(frozen=True)
class Row:
    """One thing to copy: what is asked, what is shown ("" for nothing), what is to be said."""

    question: str
    page: str
    answer: str


def lines_of(texts: Sequence[str]) -> list[str]:
    """The lines of some pages that are worth copying, each once, in their order."""
    lines = (line.strip() for text in texts for line in text.split("\n"))
    return list(
        dict.fromkeys(
            line for line in lines if SHORTEST <= len(line) <= LONGEST and not NOT_WORTH.search(line)
        )
    )


def copying_rows(sources: Sources, count: int, rng: random.Random) -> Iterator[Conversation]:
    """`count` conversations: every task in both languages, made of real lines and of random ones in turn."""
    tasks = [(name, task, lang) for name, task in TASKS.items() for lang in LANGUAGES]
    for number in range(count):
        name, task, lang = tasks[number % len(tasks)]
        real = sources.lines.get(lang) or ()
        is_real = number // len(tasks) % 2 == 0 and len(real) >= 4
        row = task(_Material(rng, lang, real if is_real else ()))
        tool = [Message("tool", row.page, name="search")] if row.page else []
        messages = [Message("user", row.question), *tool, Message("assistant", row.answer)]
        made = "pages" if is_real and name not in ("value", "default") else "random"
        yield Conversation(
            messages, meta={"source": "copying", "form": "copying", "type": name, "lang": lang, "of": made}
        )


class _Material:
    """Lines, names and values to make a row of; real lines where there are any."""

    def __init__(self, rng: random.Random, lang: Lang, real: Sequence[str]) -> None:
        self.rng, self.lang, self.real = rng, lang, real

    def ask(self, task: str, **fields: str) -> str:
        return self.rng.choice(WORDINGS[task][self.lang]).format(**fields)

    def lines(self, count: int) -> list[str]:
        """Different lines."""
        if self.real:
            return self.rng.sample(self.real, count)
        return [" ".join(self.word() for _ in range(self.rng.randint(3, 8))) for _ in range(count)]

    def sentence(self) -> str:
        """Something that ends like a sentence, with no other end inside."""
        line = self.lines(1)[0]
        return re.sub(r"[.!?](?=\s|$)", "", line).strip(" ,:;") + "."

    def word(self) -> str:
        """A name, or now and then a number, that means nothing."""
        return self.name() if self.rng.random() < 0.8 else self.number()

    def name(self) -> str:
        pairs = range(self.rng.randint(1, 3))
        return "".join(self.rng.choice(CONSONANTS) + self.rng.choice(VOWELS) for _ in pairs) + (
            self.rng.choice(CONSONANTS) if self.rng.random() < 0.5 else ""
        )

    def names(self, count: int) -> list[str]:
        """Different names of at least four letters."""
        found: dict[str, None] = {}
        while len(found) < count:
            found[self.name() + self.name()] = None
        return list(found)

    def number(self) -> str:
        shapes = (
            lambda: str(self.rng.randint(2, 9999)),
            lambda: f"{self.rng.random():.2f}",
            lambda: f"{self.rng.getrandbits(16):04x}",
        )
        return self.rng.choice(shapes)()

    def value(self) -> str:
        """A value as code writes it."""
        shapes: Sequence[Callable[[], str]] = (
            self.number,
            lambda: f"'{self.name()}'",
            lambda: self.rng.choice(("True", "False", "None")),
            lambda: f"({self.number()}, {self.number()})",
        )
        return self.rng.choice(shapes)()


def _repeat(of: _Material) -> Row:
    line = of.lines(1)[0]
    return Row(of.ask("repeat", line=line), "", line)


def _begins(of: _Material) -> Row:
    """The words given are as many as tell the line from the others."""
    lines = list(dict.fromkeys(of.lines(of.rng.randint(2, 4))))
    line = of.rng.choice(lines)
    words = line.split()
    others = [other.split() for other in lines if other != line]
    most = max(1, len(words) - 1)
    needed = next((n for n in range(1, most) if all(other[:n] != words[:n] for other in others)), most)
    start = " ".join(words[: min(most, needed + 1)])
    return Row(of.ask("begins", start=start), "\n".join(lines), f'"{line}"')


def _sentence(of: _Material) -> Row:
    sentences = [of.sentence() for _ in range(of.rng.randint(3, 4))]
    at = of.rng.choice((0, 1, -1))
    which = ORDINALS[of.lang][at]
    return Row(of.ask("sentence", which=which), " ".join(sentences), f'"{sentences[at]}"')


def _between(of: _Material) -> Row:
    before, after = of.rng.choice(AROUND[of.lang])
    words = " ".join(of.lines(1)[0].split()[: of.rng.randint(2, 6)]).strip(",;:")
    lines = [of.lines(1)[0], f"{before}{words}{after}", of.lines(1)[0]]
    return Row(of.ask("between"), "\n".join(lines[of.rng.randint(0, 1) :]), f'"{words}"')


def _value(of: _Material) -> Row:
    names = of.names(of.rng.randint(3, 7))
    sign = of.rng.choice((" = ", ": ", "="))
    lines = [f"{name}{sign}{of.value()}" for name in names]
    at = of.rng.randrange(len(names))
    return Row(of.ask("value", name=names[at]), "\n".join(lines), f'"{lines[at]}"')


def _default(of: _Material) -> Row:
    function, *names = of.names(of.rng.randint(3, 6))
    parts = [f"{name}={of.value()}" for name in names]
    at = of.rng.randrange(len(names))
    shown = f"{function}({', '.join([of.name(), *parts])})"
    return Row(of.ask("default", name=names[at], function=function), shown, f'"{parts[at]}"')


TASKS: dict[str, Callable[[_Material], Row]] = {
    "repeat": _repeat,
    "begins": _begins,
    "sentence": _sentence,
    "between": _between,
    "value": _value,
    "default": _default,
}
