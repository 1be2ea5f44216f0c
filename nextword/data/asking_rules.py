"""Rules that find what a page answers: a question in the page's language, and the sentence that answers it.

    heading-question   a heading that asks, and the sentence under it
    how-to             "How to X", "X하는 방법", "X하기", and the sentence under it that tells how
    definition         "X is a ...", "X은 ...입니다", "X란 ...을 말합니다"
    code               "`x` returns ...", "`x`는 ...합니다"
    item               "`x`: what it is", a list's item with its name
    number             "The X is 30 minutes", "X은 14일입니다"
    label              "Opening hours: 9 to 18"
    when, where, ...   plain facts, which any sentence may tell (fact_rules.py)

No rule writes an answer: it is the page's own sentence. So few are better than many: a subject must be
something that can be asked for without the page (a name in code or Latin letters, or words of a heading), and
no sentence that points elsewhere ("this", "as follows") or carries markup is an answer. Korean verbs are not
taken apart (that needs a dictionary): questions keep the noun phrase and the particle that the page has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nextword.data.fact_rules import facts
from nextword.data.heading_rules import of_heading
from nextword.data.page_layout import Block
from nextword.data.phrases import Lang, with_particle
from nextword.data.sentences import (
    GENERIC,
    MARKUP,
    POINTING,
    is_answer,
    is_bound,
    is_korean,
    sentences_of,
)

LEAST_ITEM = 16
"""Letters of an explanation in a list."""
OPENERS = r"(?:이란|란|은|는)"
CODE = r"`[^`\n]{2,50}`"
DEFINED_KO = re.compile(
    rf"^(?P<x>(?:{CODE}|[^\s,.`]+)(?: (?:{CODE}|[^\s,.`]+)){{0,3}}?)(?P<p>{OPENERS})(?=,? ),? .+"
    r"(?:입니다|을 말합니다|를 말합니다|의미합니다|뜻합니다|가리킵니다|말한다|의미한다|뜻한다|것이다|이다)\.$"
)
DOES_KO = re.compile(rf"^(?P<x>{CODE})(?P<p>은|는) .+(?:합니다|줍니다|됩니다|입니다|습니다|킵니다|냅니다)\.$")
DEFINED_EN = re.compile(
    rf"^(?P<d>(?:The |An? )?)(?P<x>(?:{CODE}|[\w.+#'-]+)(?: (?:{CODE}|[\w.+#'-]+)){{0,3}}?)"
    r" (?P<be>is|are) (?P<rest>(?:an? |the |one of |used |any |our |how )?.+)\.$"
)
DOES_EN = re.compile(
    rf"^(?P<x>{CODE})(?: (?:function|method|hook|option|command))? (?P<v>[a-z]+[^s ]s) .+\.$"
)
NUMBER_KO = re.compile(
    r"^(?P<x>[^.,]{2,30}?)(?P<p>은|는) (?:최대 |최소 |약 |하루 |한 사람당 |1인당 )*"
    r"[\d,.]+ ?(?P<u>원|일|시간|분|초|주|주일|개월|년|명|개|권"
    r"|회|번|대|%|퍼센트|km|m|cm|kg|g|MB|GB|도|℃)(?:까지|이내|이상|이하|정도)?입니다\.$"
)
NUMBER_EN = re.compile(
    r"^The (?P<x>[\w '-]{3,40}) is (?:about |at most |at least |up to )?(?P<n>[$€£]?\d[\d,.]*) ?"
    r"(?P<u>minutes?|hours?|days?|weeks?|months?|years?|seconds?|%|percent|km|m|kg|dollars|euros|MB|GB)?\.$"
)
ITEM_NAME = re.compile(
    rf"^(?P<x>{CODE})(?:\*\*)?(?:\s?\((?:선택 ?사항|optional)\))?(?:\*\*)?\s?(?::|–|—| - )\s?(?P<d>\S.+)$"
)
LABEL = re.compile(r"^(?P<x>[^\W\d_][^:.,`*<>|{}()]{1,24}?) ?: (?P<d>\S.{3,150})$")
NO_DEED = re.compile(
    r"(?:없|아니|않|있|받)습니다\.$|일부입니다|`undefined`|(?:안|[가-힣]야|라고|때만) \S+\.$"
    r"|(?:작동|동작|의존|속|실행|존재|불과|필요|사용|호출|적용)(?:합|됩)니다\.$"
)
"""Ends of sentences that do not say what something does."""
UNITS_KO = {
    "원": "얼마인가요",
    "명": "몇 명인가요",
    "개": "몇 개인가요",
    "권": "몇 권인가요",
    "회": "몇 회인가요",
    "번": "몇 번인가요",
    "대": "몇 대인가요",
}
TIMES_EN = ("minute", "hour", "day", "week", "month", "year", "second")


@dataclass(frozen=True)
class Found:
    """A question and its answer, which stands so in the block; `rule` found it."""

    question: str
    quote: str
    rule: str


def ask(block: Block, first: bool, title: str) -> Iterator[Found]:
    """What a block answers. `first`: nothing stands between it and its heading."""
    told = list(_by_layout(block, first, title))
    yield from told
    quoted = {each.quote for each in told}
    yield from (Found(*fact) for fact in facts(sentences_of(block.text)) if fact[1] not in quoted)


def _by_layout(block: Block, first: bool, title: str) -> Iterator[Found]:
    """What a block answers by where it stands and how it begins: one thing, and one for its heading."""
    lang: Lang = "ko" if is_korean(block.text) else "en"
    sentences = sentences_of(block.text)
    context = " ".join((title, *block.headings)).lower()
    if first and sentences and not block.is_item and (told := of_heading(block.heading, sentences)):
        yield Found(*told)
    if block.is_item:
        yield from _of_item(block, lang)
        return
    if sentences:
        for rule in RULES[lang]:
            if found := rule(sentences[0] if rule in FIRST_ONLY else "", sentences, context):
                yield found
                return


def _is_subject(x: str, context: str) -> bool:
    """Whether a phrase can be asked for by itself: a name, or the words of a heading; no clause."""
    words = x.lower().split()
    if (
        POINTING.search(x + " ")
        or any(GENERIC.fullmatch(word.strip("`")) for word in (words[0], words[-1]))
        or x.count("`") % 2
    ):
        return False
    if any(is_bound(word) for word in words[:-1]):
        return False
    named = bool(re.fullmatch(CODE, x)) or bool(re.fullmatch(r"[A-Z][\w.+#-]*(?: [A-Z][\w.+#-]*)*", x))
    return named or x.lower().strip("`") in context


def _is_told(code: str, context: str) -> bool:
    """Whether a title or heading speaks of this code: a name of an example is nobody's question."""
    name = re.match(r"[\w.$-]+", code.strip("`"))
    return name is not None and len(name[0]) > 2 and name[0].lower() in context


def _of_item(block: Block, lang: Lang) -> Iterator[Found]:
    """An item that explains a name, asked with the code that its headings speak of."""
    found = ITEM_NAME.match(block.text)
    codes = [
        match[1]
        for each in block.headings
        for match in [re.search(r"`([A-Za-z_][\w.]*)[^`]*`", each)]
        if match
    ]
    if not found or not codes or codes[-1] == found["x"].strip("`"):
        return
    said = sentences_of(found["d"])
    if not said or not is_answer(said[0]) or is_korean(said[0]) != (lang == "ko"):
        return
    if len(said[0]) < LEAST_ITEM or len(said[0].split()) < 4 or "전달받은" in said[0]:
        return
    owner, x = f"`{codes[-1]}`", found["x"]
    question = f"{owner}에서 {x}의 역할은 무엇인가요?" if lang == "ko" else f"What is {x} in {owner}?"
    yield Found(question, said[0], "item")


def _definition_ko(first: str, sentences: list[str], context: str) -> Found | None:
    found = DEFINED_KO.match(first)
    if not found or not is_answer(first) or not _is_subject(found["x"], context):
        return None
    if re.search(
        r"(?:때문|중|수|뿐|예정|마찬가지|경우|이유|필요|무료|불변|선택 사항|일부|이상)입니다|아니라 \.$",
        first,
    ):
        return None
    if len(first.split()) < 5 or "것입니다" in first or re.search(r"\d[^가-힣]*입니다\.$", first):
        return None
    return Found(f"{found['x']}{found['p']} 무엇인가요?", first, "definition")


def _does_ko(first: str, sentences: list[str], context: str) -> Found | None:
    found = DOES_KO.match(first)
    if not found or not is_answer(first) or NO_DEED.search(first) or not _is_told(found["x"], context):
        return None
    return Found(f"{found['x']}{found['p']} 무엇을 하나요?", first, "code")


def _number_ko(first: str, sentences: list[str], context: str) -> Found | None:
    for sentence in sentences:
        found = NUMBER_KO.match(sentence)
        if found and not POINTING.search(sentence) and not MARKUP.search(sentence):
            asks = UNITS_KO.get(
                found["u"], "얼마나 되나요" if found["u"] in "일시간분초주개월년주일" else "얼마인가요"
            )
            return Found(f"{found['x']}{found['p']} {asks}?", sentence, "number")
    return None


def _definition_en(first: str, sentences: list[str], context: str) -> Found | None:
    found = DEFINED_EN.match(first)
    if not found or not is_answer(first) or not _is_subject(found["x"], context):
        return None
    if not re.match(r"an? |the |one of |used |any ", found["rest"]) or re.match(
        r"a lot|a bit|the same|an? (?:good|great|common)", found["rest"]
    ):
        return None
    article = found["d"].lower()
    return Found(f"What {found['be']} {article}{found['x']}?", first, "definition")


def _does_en(first: str, sentences: list[str], context: str) -> Found | None:
    found = DOES_EN.match(first)
    idle = ("is", "has", "was", "does", "needs", "gets", "becomes", "works", "runs", "takes")
    if not found or not is_answer(first) or found["v"] in idle or not _is_told(found["x"], context):
        return None
    return Found(f"What does {found['x']} do?", first, "code")


def _number_en(first: str, sentences: list[str], context: str) -> Found | None:
    for sentence in sentences:
        if found := NUMBER_EN.match(sentence):
            unit = found["u"] or ""
            how = (
                "How long" if unit.startswith(TIMES_EN) else "How much" if found["n"][0] in "$€£" else "What"
            )
            return Found(f"{how} is the {found['x']}?", sentence, "number")
    return None


def _label(first: str, sentences: list[str], context: str) -> Found | None:
    text = " ".join(sentences)
    found = LABEL.match(text)
    words = found["x"].split() if found else []
    if (
        not found
        or len(words) > 4
        or MARKUP.search(text)
        or POINTING.search(found["x"])
        or "`" in text
        or not re.search(r"\d", found["d"])
    ):
        return None
    if is_korean(found["x"]):
        return Found(f"{with_particle(found['x'], '은')} 어떻게 되나요?", text, "label")
    be = "are" if words[-1].endswith("s") else "is"
    return Found(f"What {be} the {found['x'].lower()}?", text, "label")


Rule = Callable[[str, list[str], str], Found | None]
RULES: dict[Lang, tuple[Rule, ...]] = {
    "ko": (_number_ko, _definition_ko, _does_ko, _label),
    "en": (_number_en, _definition_en, _does_en, _label),
}
FIRST_ONLY = frozenset((_definition_ko, _does_ko, _definition_en, _does_en))
