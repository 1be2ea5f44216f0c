"""Facts about functions and classes, as crawled documentation states them: each once, with its place.

    for fact in read_facts(Path("runs/python-docs/crawl")):
        fact.id, fact.signature, fact.parameters, fact.summary      # "json.dumps", ...
        fact.document.text[fact.start : fact.end]                   # the page's own words

Everything a question will be asked about is copied from a page, nothing is imported or run: the crawl is the
only source, so the answer to every question can be found on the page that the fact links to.

The same function is often shown by several pages. Inherited members are left to the class that defines them.
A class says where it is defined, and that page has it. A function does not; where pages show the same name,
signature and docstring, one must be chosen: public before private, a package's own root before a guest's, and
then the page with the fewest functions: a module that gathers the names of others has more than they have.
The other places are kept as `aliases`, since "which module has it" has then more than one right answer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from nextword.common.progress import Progress
from nextword.common.records import Document
from nextword.data.archive import Page, pages
from nextword.data.charset import decode
from nextword.data.pydoc_page import VALUES, Entry, PydocPage, find_line, pydoc_page
from nextword.data.pydoc_site import PYTHON
from nextword.data.signature import argument_text, parameters

SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\betc)(?<!\bcf)(?<!\bapprox)[.!?](?=\s|$)")
CALL = re.compile(r"[\w.]+ ?\([^\n]*\)?(?: *->.*|:)?$")
"""A first line that repeats the signature, as docstrings of C functions have it."""
LEAST_DOC = 20
"""Letters of docstring that make two functions of one name and signature the same one."""


@dataclass(frozen=True)
class Fact:
    """What a page says about one thing.

    name: qualified within the module, "" for the module itself. kind: module, package, function, class, data
    or a kind of member (pydoc_page.KINDS). signature: as shown, "" where there is none; parameters: name to
    default, None where it has none, in order. summary: the docstring's first sentence, its line breaks
    made spaces. start, end: the entry in document.text; before, after: with the neighbours on both sides;
    heading: where the heading over it begins.
    """

    module: str
    name: str
    kind: str
    signature: str
    parameters: dict[str, str | None]
    summary: str
    url: str
    document: Document = field(repr=False)
    start: int = 0
    end: int = 0
    before: int = 0
    after: int = 0
    heading: int = -1
    heading_text: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The full name, such as `collections.Counter.most_common`."""
        return f"{self.module}.{self.name}" if self.name else self.module

    @property
    def shown(self) -> str:
        """The name as a person would say it: built-in functions need no module."""
        return self.name if self.module == "builtins" and self.name else self.id

    @property
    def short(self) -> str:
        """The last part of the name."""
        return self.id.rpartition(".")[2]

    @property
    def is_public(self) -> bool:
        """Whether no part of the name is private (or of the interpreter's own protocol, like `__add__`)."""
        return not any(part.startswith("_") for part in self.id.split("."))

    @property
    def text(self) -> str:
        """The entry as the page has it."""
        return self.document.text[self.start : self.end]


def read_facts(crawl: Path, progress: Progress | None = None) -> list[Fact]:
    """The facts of a finished crawl, each once, in the crawl's order. BadInput when there is no crawl.

    Holds the text of the pages (half of the crawl's HTML), which all facts of a page share.
    """
    return unique(_all_facts(crawl, progress))


def _all_facts(crawl: Path, progress: Progress | None) -> Iterator[Fact]:
    for source in pages(crawl):
        if page := _taken_apart(source):
            yield from page_facts(page, source)
        if progress:
            progress.advance(facts=source.url)


def page_facts(page: PydocPage, source: Page) -> Iterator[Fact]:
    """The facts of one page: the module, then what it documents itself, in the page's order."""
    kept = {name: source.meta[name] for name in ("package", "version", "licence") if name in source.meta}
    functions = sum(entry.kind == "function" for entry in page.entries)
    document = Document.of(
        page.text,
        source.url,
        source.fetched,
        "en",
        title=page.title,
        what=page.what,
        functions=functions,
        **kept,
    )
    first = page.entries[0].start if page.entries else len(page.text)
    yield _of_module(page, document, first)
    starts = [0, *(entry.start for entry in page.entries), len(page.text), len(page.text)]
    for number, entry in enumerate(page.entries):
        if entry.is_own:
            home = entry.home or page.module
            if entry.kind not in ("function", "data"):  # a class or its member
                home = page.homes.get(entry.name.partition(".")[0], page.module)
            fact = _of_entry(entry, page.module, document)
            others = () if home == page.module else (home,)
            yield replace(fact, before=starts[number], after=starts[number + 3], aliases=others)


def unique(facts: Iterable[Fact]) -> list[Fact]:
    """Each fact once, from the page of the module that defines it; `aliases` names the others."""
    groups: dict[tuple[str, ...], list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[_identity(fact)].append(fact)
    return [_defining(group) for group in groups.values()]


def first_sentence(doc: str) -> str:
    """The first sentence of a docstring; "" when it has none.

    >>> first_sentence("chr(i) -> str\\n\\nReturn a string, e.g. of one character. More.")
    'Return a string, e.g. of one character.'
    """
    for paragraph in doc.split("\n\n")[:3]:
        lines = paragraph.strip().split("\n")
        while lines and CALL.match(lines[0]):
            lines.pop(0)
        if not lines:
            continue
        text = " ".join(" ".join(lines).split())
        ended = SENTENCE_END.search(text)
        return text[: ended.end()] if ended else text if len(lines) == 1 else ""
    return ""


def _taken_apart(page: Page) -> PydocPage | None:
    if "html" not in page.content_type or b"<title>Py" not in page.body[:2000]:
        return None
    decoded = decode(page.body, page.charset)
    return pydoc_page(decoded[0]) if decoded else None


def _of_module(page: PydocPage, document: Document, first: int) -> Fact:
    kind = "package" if page.what == "package" else "module"
    start = max(find_line(page.text, page.doc.partition("\n")[0], 0), 0)
    return Fact(
        page.module, "", kind, "", {}, first_sentence(page.doc), document.url, document,
        start, max(start, min(first, start + len(page.doc))), start, first,
    )  # fmt: skip


def _of_entry(entry: Entry, module: str, document: Document) -> Fact:
    signature = "" if entry.kind == "class" or entry.kind in VALUES else entry.declaration
    if argument_text(signature) is None:  # a class, or C code: then its docstring may begin with one
        first, _, _ = entry.doc.partition("\n")
        is_call = first.startswith(entry.name.rpartition(".")[2] + "(") and argument_text(first) is not None
        signature = first if is_call else ""
    if entry.kind == "class":  # "-&gt; None" follows it often, escaped twice
        signature = signature.partition(" -&gt;")[0]
    takes = {each.name: each.default for each in parameters(signature)}
    return Fact(
        module, entry.name, entry.kind, signature, takes, first_sentence(entry.doc), document.url, document,
        entry.start, entry.end, heading=entry.heading, heading_text=entry.heading_text,
    )  # fmt: skip


def _identity(fact: Fact) -> tuple[str, ...]:
    """What facts about the same thing have in common."""
    doc = fact.text.partition("\n")[2]
    if fact.kind == "function" and len(doc) >= LEAST_DOC:
        return ("function", fact.name, fact.signature, doc)
    home = fact.aliases[0] if fact.aliases else fact.module
    return (fact.kind, fact.name, home)


def _defining(group: list[Fact]) -> Fact:
    """The one of a group that is kept."""
    if len(group) == 1 and not group[0].aliases:
        return group[0]
    is_spread = len({fact.module.partition(".")[0] for fact in group}) > 1
    best = min(group, key=lambda fact: _rank(fact, is_spread))
    others = {module for fact in group for module in (fact.module, *fact.aliases)} - {best.module}
    return replace(best, aliases=tuple(sorted(module for module in others if "._" not in "." + module)))


def _rank(fact: Fact, is_spread: bool) -> tuple[bool, bool, bool, bool, int, int, str]:
    """The least is kept. `is_spread`: modules of several packages show it; a package's root goes first."""
    meta = fact.document.meta
    is_low = meta["what"] == "built-in module" and fact.module != "builtins"  # posix, beside os
    root = fact.module.partition(".")[0]
    is_guest = meta.get("package") not in (PYTHON, root)  # pylab, beside numpy
    depth = fact.module.count(".") if is_spread else 0
    return (not fact.is_public, bool(fact.aliases), is_low, is_guest, depth, meta["functions"], fact.id)
