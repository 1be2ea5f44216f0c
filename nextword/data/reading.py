"""Reading practice: any sentence of any page, asked for by a few of its own words and quoted.

Questions that people or rules have approved are few. A small model that sees a hundred and fifty of them
forty times knows them by heart and has not learnt where on a page to look: in a trial it then answered 9 % of
the held-out ones, where the search alone answered 35 %. But what a page says about something can be asked of
every sentence that may stand alone as an answer, and there are thousands. `of` says it with one phrase that
stands in no other sentence shown, `both` with two words that stand together in no other.

The page is shown as proposals show it, and the answer has their form: the quotation, then the page's title.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from nextword.common.records import Conversation, Document, Message
from nextword.data.page_layout import Block, blocks
from nextword.data.phrases import Lang, with_particle
from nextword.data.propose import excerpt
from nextword.data.sentences import is_answer, is_bound, is_korean, sentences_of

FORM = "reading"
LONGEST = 120
"""Letters of a sentence: a longer one costs the time of two."""
WORDINGS: dict[str, dict[Lang, tuple[str, ...]]] = {
    "of": {
        "en": (
            "What does the page say about {x}?",
            "What is said of {x}?",
            "Tell me about {x}.",
            "What is {x}?",
            "What should I know about {x}?",
            "Explain {x}.",
        ),
        "ko": (
            "{x}에 대해 무엇이라고 쓰여 있나요?",
            "{x}에 대해 알려 주세요.",
            "{x}에 관한 문장을 찾아 주세요.",
            "{x_is} 무엇인가요?",
            "{x_is} 어떻게 되나요?",
            "{x_of} 설명해 주세요.",
        ),
    },
    "both": {
        "en": (
            "What does the page say about {x} and {y}?",
            "How do {y} and {x} go together?",
            "Which sentence speaks of {x} and {y}?",
        ),
        "ko": (
            "{x}, {y}에 대해 무엇이라고 쓰여 있나요?",
            "{y} 그리고 {x}, 둘은 어떤 사이인가요?",
            "{x} 그리고 {y} 이야기가 나오는 문장은 무엇인가요?",
        ),
    },
}
PLAIN = 0.65
"""Share of the questions that name one thing."""
CODE = re.compile(r"`[^`\n]{2,40}`")
WORD_EN = re.compile(r"[A-Za-z][\w'-]{3,}")
WORD_KO = re.compile(r"[가-힣A-Za-z0-9_]{2,}")
PARTICLE = re.compile(
    r"(?<=[가-힣A-Za-z0-9_]{2})(?:에서는|에게|에서|으로|까지|부터|은|는|이|가|을|를|에|의|로|와|과|도)$"
)
COMMON_EN = re.compile(
    r"(?:about|after|also|another|because|been|before|being|between|both|can(?:not)?|could|does|each|either|every"
    r"|from|have|here|however|into|just|like|made|makes?|many|more|most|much|must|needs?|only|other|over|same"
    r"|should|some|such|than|that|their|them|then|there|these|they|this|those|through|under|use[ds]?|using|very"
    r"|want|were|what|when|where|which|while|will|with|within|without|would|your)",
    re.IGNORECASE,
)
ENDING_KO = re.compile(
    r"(?:다|요|고|며|면|지만|는데|도록|려면|여|어|아|야|서|해|할|한|히|게|적|하는|된|되는|있는|없는|같은|대한|위한)$"
)


@dataclass(frozen=True)
class Passage:
    """A sentence, what is shown of its page, and the words that it can be asked for by."""

    document: Document
    block: Block
    sentence: str
    shown: str
    named: tuple[str, ...]
    paired: tuple[tuple[str, str], ...]

    @property
    def lang(self) -> Lang:
        """Of the sentence."""
        return "ko" if is_korean(self.sentence) else "en"


def reading_rows(
    documents: Iterable[Document], held: Set[str], count: int, letters: int, rng: random.Random
) -> Iterator[Conversation]:
    """At most `count` conversations, from all documents alike; none quotes a sentence of `held`.

    letters: of a page shown, at most. Sentences that say the same on two pages are asked for once.
    """
    said: dict[str, tuple[Document, Block]] = {}
    for document in documents:
        for block in blocks(document.text):
            for sentence in sentences_of(block.text):
                if len(sentence) <= LONGEST and is_answer(sentence) and sentence not in held:
                    said.setdefault(sentence, (document, block))
    order = list(said.items())
    rng.shuffle(order)
    made = 0
    for sentence, (document, block) in order:
        if made >= count:
            return
        if passage := _passage(document, block, sentence, letters):
            made += 1
            yield _conversation(passage, rng)


def _passage(document: Document, block: Block, sentence: str, letters: int) -> Passage | None:
    """The sentence with its page; None where nothing tells it from the others that are shown."""
    shown = excerpt(document.text, block, sentence, letters)
    if sentence not in shown:
        return None
    rest = shown.replace(sentence, " ")
    phrases = phrases_of(sentence)
    named = tuple(x for x in phrases if x not in rest)
    others = sentences_of(" ".join(rest.split()))
    paired = tuple(
        (x, y)
        for x, y in itertools.pairwise(phrases)
        if not any(x in other and y in other for other in others)
    )
    return Passage(document, block, sentence, shown, named, paired) if named or paired else None


def phrases_of(sentence: str) -> list[str]:
    """Words of a sentence by which one can ask for it: code, names and nouns, as far as their form tells.

    >>> phrases_of("열람실 좌석은 2층 단말기에서 예약합니다.")
    ['열람실', '좌석', '단말기']
    >>> phrases_of("Seats are booked at the terminal with `book()`.")
    ['`book()`', 'Seats', 'booked', 'terminal']
    """
    code = list(dict.fromkeys(CODE.findall(sentence)))
    text = CODE.sub(" ", sentence)
    if is_korean(sentence):
        nouns = [(PARTICLE.sub("", word), word) for word in WORD_KO.findall(text)]
        stems = [noun for noun, word in nouns if noun != word or not ENDING_KO.search(word)]
        found = [stem for stem in stems if len(stem) > 1 and not stem[0].isdigit() and not is_bound(stem)]
    else:
        found = [word for word in WORD_EN.findall(text) if not COMMON_EN.fullmatch(word)]
    return code + list(dict.fromkeys(found))


def _conversation(passage: Passage, rng: random.Random) -> Conversation:
    title = str(passage.document.meta.get("title", ""))
    kind = "of" if passage.named and (rng.random() < PLAIN or not passage.paired) else "both"
    if kind == "of":
        x = rng.choice(passage.named)
        fields = {"x": x, "x_is": with_particle(x, "은"), "x_of": with_particle(x, "을")}
    else:
        fields = dict(zip("xy", rng.choice(passage.paired), strict=True))
    question = rng.choice(WORDINGS[kind][passage.lang]).format(**fields)
    messages = [
        Message("user", question),
        Message("tool", f"{title}\n{passage.shown}", name="search"),
        Message("assistant", f'"{passage.sentence}" ({title})'),
    ]
    meta = {
        "source": FORM, "form": FORM, "type": kind, "lang": passage.lang, "url": passage.document.url,
        "document": passage.document.id, "start": passage.block.start, "end": passage.block.end,
    }  # fmt: skip
    return Conversation(messages, meta=meta)
