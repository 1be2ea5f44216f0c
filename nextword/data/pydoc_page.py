"""One page of pydoc, taken apart: what it documents, in the page's order, each with its place in the text.

pydoc writes HTML from a handful of templates (`pydoc.HTMLDoc`, hardly changed since Python 2.1). Three
carry everything, so this is no HTML parser but a walk from one of their opening tags to the next:

    <td class="section-title">   begins a class, or Functions, Data, Package Contents ...
    Methods defined here:        begins a group of members, their own or inherited
    <dt>                         is one entry: its heading, then in `<dd>` its docstring

In a docstring pydoc writes every space as `&nbsp;`, so none of these can occur in one. Each entry is then
found in the text that cleaning makes of the page (`html_text`), in order, so that an excerpt is what search
will show and a quotation can be linked to its place. What is not found there, letter for letter, is no entry.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from nextword.data.html_text import html_text, tidy

TITLE = re.compile(r"<title>(?:Pydoc|Python): (package|module|built-in module) ([\w.]+)</title>")
TOKEN = re.compile(
    r'<td class="section-title"|<td class="singlecolumn">|<dt\b|'
    r"(?P<group>Methods|Class methods|Static methods|Readonly properties|Data descriptors"
    r"|Data and other attributes) (?P<whose>defined here|inherited from)"
)
NAME = re.compile(r'\s*(?:async )?(?:<a name="[^"<>]*">)?\s*<strong>([^<>]*)</strong>(?:</a>)?')
BOUND = re.compile(r"method of ([\w.]+) instance")
TAG = re.compile(r"<[^<>]*>")
KINDS = {
    "Methods": "method",
    "Class methods": "class method",
    "Static methods": "static method",
    "Readonly properties": "readonly property",
    "Data descriptors": "data descriptor",
    "Data and other attributes": "data attribute",
}
"""What pydoc calls a group of members, and one of them."""
VALUES = ("data", "data attribute")
FUNCTIONS, DATA = "Functions", "Data"
LONGEST_TITLE = 100
MOST_LOST = 200
"""Entries not found in the text, after which a page is left: each costs one look through the rest of it."""


@dataclass
class Entry:
    """One thing a page documents. `name` is qualified within the module; `doc` has no indent.

    kind: function, class, data, one of KINDS' values, or heading; doc: "" when not its own.
    start, end: its place in the page's text;
    heading, heading_text: where the heading over it stands, and how it begins.
    """

    kind: str
    name: str
    declaration: str
    doc: str
    is_own: bool = True  # not inherited, and no second name of another entry
    home: str = ""  # the module a bound method comes from, such as `random.Random` of `random.choice`
    start: int = -1
    end: int = -1
    heading: int = -1
    heading_text: str = ""

    @staticmethod
    def over(text: str) -> Entry:
        """A heading, which is no entry of its own but has its place too."""
        return Entry("heading", "", text, "", is_own=False)


@dataclass
class PydocPage:
    """A page's text and what is in it.

    title: the line that heads it, such as `json (version 2.0.9)  index`, and what search calls the page by;
    homes: the module in which each class of the page is defined.
    """

    module: str
    what: str  # package, module or built-in module
    title: str
    text: str
    doc: str
    entries: list[Entry]
    homes: dict[str, str] = field(default_factory=dict)


def pydoc_page(page: str) -> PydocPage | None:
    """Take apart the HTML of a page; None when it is not pydoc's page of a module."""
    titled = TITLE.search(page, 0, 2000)
    if titled is None:
        return None
    what, module = titled.groups()
    text = html_text(page)
    walk = _Walk(module)
    entries = list(_located(walk.entries(page), text))
    return PydocPage(module, what, _heading(text, module), text, _module_doc(page), entries, walk.homes)


class _Walk:
    """Goes through a page's templates, knowing in which section and which group of members it is."""

    def __init__(self, module: str) -> None:
        self.homes: dict[str, str] = {}
        self.module = module
        self.section = ""
        self.owner = ""  # the class whose members are listed
        self.is_alias = False  # that class is shown under a second name
        self.group, self.is_inherited = "", False

    def entries(self, page: str) -> Iterator[Entry]:
        found = list(TOKEN.finditer(page))
        starts = [match.start() for match in found]
        for match, end in zip(found, [*starts[1:], len(page)], strict=False):
            piece = page[match.end() : end]
            if match["group"]:
                self.group, self.is_inherited = match["group"], match["whose"] != "defined here"
                yield Entry.over(match[0])
            elif match[0].startswith("<dt"):
                yield from self._definition(piece)
            elif "section-title" in match[0]:
                yield from self._title(piece)
            elif self.section == DATA:
                yield from self._data(piece)

    def _title(self, piece: str) -> Iterator[Entry]:
        """A section's heading; a class's is an entry, with its docstring after it."""
        title, _, rest = piece.partition("</td>")
        title = title.partition("<br>")[2]
        self.owner, self.group, self.is_alias, self.is_inherited = "", "", False, False
        if 'class="bigsection"' in title:
            self.section = _line(title)
            yield Entry.over(self.section)
            return
        self.section = "class"
        shown = _line(title)
        name = NAME.match(title.replace(">class <strong>", "><strong>"))
        self.owner = html.unescape(name[1]) if name else ""
        self.is_alias = not shown.startswith("class ")
        _, _, doc = rest.partition('colspan=2><span class="code">')
        body = _lines(doc.partition("</span></td>")[0])
        if self.owner:
            yield Entry("class", self.owner, shown, body, not self.is_alias)

    def _definition(self, piece: str) -> Iterator[Entry]:
        """A `dt`: a class in the tree of classes, a member, or a function."""
        opening, _, piece = piece.partition(">")
        if "heading-text" in opening:
            self._place(piece.partition("</dt>")[0])
            return
        kind = KINDS.get(self.group, "") if self.owner else "function" if self.section == FUNCTIONS else ""
        named = NAME.match(piece)
        if not kind or named is None:
            return
        declared, rest = _cut(piece, ("</dt>", "<dd>", "</dl>"))
        after = declared[named.end() :]
        is_second_name = kind not in VALUES and after.startswith(" = ")
        own, _, note = declared.partition('<span class="grey">')
        is_own = not (self.is_inherited or self.is_alias or is_second_name)
        doc = _lines(rest.partition('<span class="code">')[2].partition("</span>")[0]) if is_own else ""
        name = html.unescape(named[1])
        bound = BOUND.match(_line(note))
        home = bound[1].rpartition(".")[0] or self.module if bound else ""
        yield Entry(kind, f"{self.owner}.{name}" if self.owner else name, _line(own), doc, is_own, home)

    def _place(self, tree: str) -> None:
        """Note where a class of the tree is defined: it is shown with its module if that is not this one."""
        shown = _line(tree).partition("(")[0]
        module, _, name = shown.rpartition(".")
        self.homes.setdefault(name, module or self.module)

    def _data(self, piece: str) -> Iterator[Entry]:
        """The section Data: a line for each name."""
        self.section = ""
        for line in piece.partition("</td>")[0].split("<br>\n"):
            if named := NAME.match(line):
                yield Entry("data", html.unescape(named[1]), _line(line), "")


def _located(entries: Iterable[Entry], text: str) -> Iterator[Entry]:
    """The entries found in the text, in order, with their places."""
    cursor, lost, heading = 0, 0, Entry.over("")
    for entry in entries:
        start = find_line(text, entry.declaration, cursor)
        if start < 0:
            lost += 1
            if lost > MOST_LOST:
                return
            continue
        entry.start = start
        entry.end = cursor = _end(text, entry, start + len(entry.declaration))
        if entry.kind == "heading":
            heading = entry
            continue
        if entry.kind == "class":
            heading = entry
        entry.heading, entry.heading_text = heading.start, heading.declaration
        yield entry


def find_line(text: str, line: str, start: int) -> int:
    """Where a line that begins so stands in the text, at or after `start`; -1 when it does not."""
    if not line:
        return -1
    if start == 0 and text.startswith(line):
        return 0
    at = text.find("\n" + line, max(start - 1, 0))
    return at + 1 if at >= 0 else -1


def _end(text: str, entry: Entry, after: int) -> int:
    """Where an entry ends in the text: after its docstring, if that stands there as it should.

    It is indented, except under a class, and on a page whose definitions `html_text` cannot indent.
    """
    line_end = text.find("\n", after)
    if line_end < 0:
        return len(text)
    if entry.doc:
        indented = "\n".join("    " + line if line else "" for line in entry.doc.split("\n"))
        for doc in (entry.doc, indented):
            if text.startswith(doc, line_end + 1):
                return line_end + 1 + len(doc)
    return line_end


def _heading(text: str, module: str) -> str:
    """The line that heads the page, or the module's name where that line is no fit title."""
    start = find_line(text, module, 0)
    line = text[start:].partition("\n")[0] if start >= 0 else ""
    return line if 0 < len(line) <= LONGEST_TITLE and "<" not in line else module


def _module_doc(page: str) -> str:
    """The docstring of the module itself, between the page's heading and its first section."""
    _, _, after = page.partition('<table class="heading">')
    after = after.partition("</table>")[2].partition('<table class="section">')[0]
    _, _, doc = after.partition('<p><span class="code">')
    return _lines(doc.partition("</span></p>")[0])


def _cut(piece: str, marks: tuple[str, ...]) -> tuple[str, str]:
    """What stands before the first of the marks, and what after."""
    places = [at for mark in marks if (at := piece.find(mark)) >= 0]
    at = min(places, default=len(piece))
    return piece[:at], piece[at:]


def _line(markup: str) -> str:
    """The text of a heading: one line."""
    return tidy(" ".join(html.unescape(TAG.sub("", markup.replace("&nbsp;", " "))).split()))


def _lines(markup: str) -> str:
    """The text of a docstring, as `html_text` lays it out."""
    text = markup.replace("<br>\n", "\n").replace("<br>", "\n").replace("&nbsp;", " ")
    return tidy(html.unescape(TAG.sub("", text)))
