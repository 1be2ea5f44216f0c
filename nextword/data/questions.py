"""Questions that the crawled documentation answers, each with the words that are its right answer.

    description   What does json.dumps do?               "Serialize ``obj`` to a JSON formatted ``str``."
    signature     How do I call textwrap.indent?         "indent(text, prefix, predicate=None)"
    default       What is the default of n in ...?       "n=None"
    module        Which module has heappushpop?          "heapq"
    parameters    Which parameters does math.dist take?  "p, q, /"
    kind          What kind of thing is ...?             "Static methods defined here"

What makes an answer checkable makes it quotable: it stands letter for letter in the excerpt of the page (the
module in the excerpt's title), and it is what the answer begins with. A question is left out when no such
words exist or more than one answer could be right: docstrings that are not sentences, sentences that run over
a line break, defaults that only a memory address tells apart, names that several modules have.

Left alone, such questions teach habits instead of reading: of all defaults 43 % are None, of all kinds half
are methods. So no answer has more than a tenth of its type, or its fair share where a type has few answers,
and no page more than a few questions. Every question exists in both languages, and whether it is held out
depends on the function alone, so no function is asked about on both sides.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput
from nextword.common.records import digest, read_records, write_records
from nextword.common.settings import check_ranges, option
from nextword.data import phrases
from nextword.data.excerpt import Stretch, excerpt
from nextword.data.facts import Fact
from nextword.data.pydoc_page import KINDS
from nextword.data.signature import argument_text, parameters

TYPES = ("description", "signature", "default", "module", "parameters", "kind")
SENTENCE = re.compile(r"[A-Z][^\"]{14,158}\.")
NO_SENTENCE = re.compile(
    r">>>|:(?:func|class|meth|ref|attr|mod|math):|https?:"
    r"|^(?:Alias|See|Deprecated|Same|Note|Not) |^This is (?!an? |the )"
)
UNTELLING = re.compile(r"<|&|\b0x[0-9a-f]{6}|^\.\.\.$|^Ellipsis$|\"")
HEADINGS = {"function": "Functions", "data": "Data"} | {
    kind: f"{group} defined here" for group, kind in KINDS.items()
}
"""The heading under which a page has each kind; a class is its own."""
FAIR = 1.2
"""Where a type has so few answers that a tenth cannot hold them, each may have so many times its share."""


@dataclass(frozen=True)
class QuestionSettings:
    """How many questions and conversations, of which kinds, and what is held out."""

    conversations: int = option(12_000, "conversations to train on, at most", least=10)
    heldout_percent: float = option(10.0, "functions held out, in percent", above=0, most=50)
    heldout_questions: int = option(1_200, "held-out questions for evaluation, at most", least=12)
    closed_book: float = option(0.2, "share of conversations that answer from memory", least=0, most=1)
    wrong_page: float = option(0.1, "share whose page does not answer the question", least=0, most=1)
    copying: float = option(0.25, "share that teach copying alone; the rest have the page", least=0, most=1)
    same_answer: float = option(0.1, "share of a type that one answer may have", above=0, most=1)
    page_questions: int = option(12, "questions of a type from one page, at most", least=1)
    excerpt: int = option(450, "letters of a page shown with a question, at most", least=300, most=8000)
    seed: int = option(0, "another seed picks other questions")

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.closed_book + self.wrong_page + self.copying > 1:
            raise BadInput("closed_book, wrong_page and copying are more than everything", do="lower one")


@dataclass(frozen=True)
class Question:
    """A question in one language. `gold`: the accepted answers, the first stands in title or excerpt.

    `function_id` decides the split; `answer` is a whole sentence that begins with the quotation.
    """

    id: str
    type: str
    lang: phrases.Lang
    text: str
    answer: str
    gold: list[str]
    url: str
    function_id: str
    excerpt: str
    title: str = ""

    @property
    def page(self) -> str:
        """What a search would give the assistant: the page's title, then the excerpt."""
        return f"{self.title}\n{self.excerpt}" if self.title else self.excerpt


@dataclass(frozen=True)
class Asked:
    """A question before it is worded: what is quoted, and which words of the page it needs."""

    type: str
    fact: Fact
    quote: str
    gold: tuple[str, ...]
    value: str  # what answers are counted by
    must: Stretch
    detail: str = ""  # the parameter asked for
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same in every language."""
        return ":".join((self.fact.id, self.type, *([self.detail] if self.detail else [])))


def asked(facts: Sequence[Fact], most: int) -> Iterator[Asked]:
    """Every question the facts can be asked with an excerpt of `most` letters; both splits, unbalanced.

    Classes of one family have methods of one name and one docstring. They are asked about once, so that what
    is held out is not what was learnt under another class's name.
    """
    seen = set()
    for each in _all(facts):
        about = (each.type, each.fact.short, each.detail, each.value)
        if each.must.end - each.must.start <= most and about not in seen:
            seen.add(about)
            yield each


def _all(facts: Sequence[Fact]) -> Iterator[Asked]:
    public = [fact for fact in facts if fact.is_public]
    homes: Counter[str] = Counter(
        fact.short for fact in public if fact.kind in ("function", "class") and "." not in fact.name
    )
    for fact in public:
        yield from _description(fact)
        yield from _signature(fact)
        yield from _defaults(fact)
        yield from _kind(fact)
        if homes[fact.short] == 1:
            yield from _module(fact)


def balanced(found: Iterable[Asked], per_type: int, settings: QuestionSettings) -> list[Asked]:
    """At most `per_type` questions of each type, no answer and no page with more than its share.

    Which ones is decided by a hash of the question, so a larger number only adds to a smaller one's.
    """
    by_type: dict[str, list[Asked]] = defaultdict(list)
    for each in found:
        by_type[each.type].append(each)
    chosen: list[Asked] = []
    for type in TYPES:
        order = sorted(by_type[type], key=lambda each: digest(f"{settings.seed}:{each.id}"))
        chosen += _fair(_spread(order, settings.page_questions), per_type, settings.same_answer)
    return chosen


def worded(each: Asked, lang: phrases.Lang, most: int) -> Question | None:
    """The question in a language, with its excerpt; None when `most` letters cannot show what it needs."""
    fact = each.fact
    shown = excerpt(fact, each.must, most, _number(each.id + "excerpt"))
    title = str(fact.document.meta.get("title", ""))
    if not shown or each.quote not in (title if each.type == "module" else shown):
        return None
    fields = {
        "id": fact.shown, "name": fact.short, "noun": phrases.NOUNS[fact.kind], "parameter": each.detail,
        "quote": each.quote, "value": each.value, "kind": phrases.KINDS[lang][fact.kind],
    }  # fmt: skip
    id = f"{each.id}:{lang}"
    return Question(
        id, each.type, lang,
        phrases.ask(each.type, lang, id, fields), phrases.answer(each.type, lang, fields),
        list(each.gold), fact.url, fact.id, shown, title,
    )  # fmt: skip


def write_questions(path: Path, questions: Iterable[Question]) -> int:
    """Write questions as records; returns how many."""
    return write_records(path, map(asdict, questions))


def read_questions(path: Path) -> Iterator[Question]:
    """The questions of a record file; BadInput names the first record that is none."""
    for number, record in enumerate(read_records(path), 1):
        try:
            yield _question(record)
        except (TypeError, ValueError) as error:
            what, do = f"record {number} is no question ({error})", "see docs/formats.md"
            raise BadInput(what, where=path, do=do) from error


def _question(record: dict[str, Any]) -> Question:
    known = {field.name: field.default is not MISSING for field in fields(Question)}
    if unknown := sorted(record.keys() - known.keys()):
        raise ValueError(f"a field `{unknown[0]}`, which questions have not")
    if missing := [name for name, has_default in known.items() if not has_default and name not in record]:
        raise ValueError(f"no `{missing[0]}`")
    question = Question(**record)
    texts = {**record}
    gold = texts.pop("gold")
    if not gold or not isinstance(gold, list) or not all(isinstance(each, str) for each in gold):
        raise ValueError("`gold` is not a list of texts")
    if not all(isinstance(value, str) for value in texts.values()):
        raise ValueError("a field is not a text")
    return question


def _description(fact: Fact) -> Iterator[Asked]:
    summary = fact.summary
    if not SENTENCE.fullmatch(summary) or NO_SENTENCE.search(summary) or len(summary.split()) < 3:
        return
    must = _place(fact, summary)
    if must and fact.kind not in ("data", "data attribute"):
        yield Asked("description", fact, summary, (summary,), summary, must)


def _signature(fact: Fact) -> Iterator[Asked]:
    """The signature itself, and what stands between its parentheses."""
    taken = [name for name in fact.parameters if name not in ("self", "cls")]
    must = _place(fact, fact.signature)
    if not taken or not must or len(fact.signature) > 160 or UNTELLING.search(fact.signature):
        return
    yield Asked("signature", fact, fact.signature, (fact.signature,), fact.signature, must)
    inside = (argument_text(fact.signature) or "").strip()
    if len(taken) > 1 and len(inside) <= 100:
        yield Asked("parameters", fact, inside, (inside, ", ".join(taken)), ", ".join(taken), must)


def _defaults(fact: Fact) -> Iterator[Asked]:
    must = _place(fact, fact.signature)
    if not must or len(fact.signature) > 400:
        return
    for each in parameters(fact.signature):
        default = each.default
        if default is None or len(each.text) > 80 or UNTELLING.search(each.text):
            continue
        gold = tuple(dict.fromkeys((each.text, default)))
        yield Asked("default", fact, each.text, gold, default, must, each.name)


def _module(fact: Fact) -> Iterator[Asked]:
    is_told = fact.kind in ("function", "class") and "." not in fact.name and len(fact.short) > 3
    if is_told and (must := _place(fact, fact.text.partition("\n")[0])):
        yield Asked("module", fact, fact.module, (fact.module, *fact.aliases), fact.module, must)


def _kind(fact: Fact) -> Iterator[Asked]:
    """What it is, where the heading that says so is near enough to be shown with it."""
    line_end = fact.start + len(fact.text.partition("\n")[0])
    if fact.kind == "class":
        quote, start = fact.text.partition("\n")[0], fact.start
    elif fact.heading >= 0 and fact.heading_text == HEADINGS.get(fact.kind):
        quote, start = fact.heading_text, fact.heading
    else:
        return
    if '"' not in quote and len(quote) <= 100:
        yield Asked("kind", fact, quote, (quote, fact.kind), fact.kind, Stretch(start, line_end))


def _place(fact: Fact, words: str) -> Stretch | None:
    """From the beginning of the entry to the end of these words in it."""
    at = fact.text.find(words) if words else -1
    return Stretch(fact.start, fact.start + at + len(words)) if at >= 0 else None


def _spread(order: Iterable[Asked], per_page: int) -> list[Asked]:
    """The first `per_page` of each page, in their order."""
    seen: Counter[str] = Counter()
    kept = []
    for each in order:
        seen[each.fact.url] += 1
        if seen[each.fact.url] <= per_page:
            kept.append(each)
    return kept


def _fair(order: Sequence[Asked], most: int, share: float) -> list[Asked]:
    """The first `most`, or fewer, such that no answer has more than `share` of them (see FAIR)."""
    counts = Counter(each.value for each in order)
    share = max(share, FAIR / max(len(counts), 1))
    low, high = 0, min(most, len(order))
    while low < high:  # the largest total that its own limit allows
        total = (low + high + 1) // 2
        limit = max(1, int(share * total))
        if sum(min(count, limit) for count in counts.values()) >= total:
            low = total
        else:
            high = total - 1
    limit, taken = max(1, int(share * low)), Counter[str]()
    kept: list[Asked] = []
    for each in order:
        if len(kept) < low and taken[each.value] < limit:
            taken[each.value] += 1
            kept.append(each)
    return kept


def _number(key: str) -> int:
    return int(digest(key)[:8], 16)
