"""HTML to text that reads well: paragraphs, headings, lists and `<pre>` layout kept, menus left out.

resiliparse parses and renders (Bevendorff et al. 2018; DCLM, Li et al. 2024, chose it over trafilatura, which
FineWeb used; benchmarks/records has our own comparison). Around it stand four things that our pages needed:

- A definition list is indented, `dd` under its `dt`. pydoc writes a signature as `dt` and its docstring as
  `dd`; without the indent both run together.
- Content in `<script type="text/x-handlebars-template">`, as some documentation sites have it, is unwrapped.
- The main-content heuristic is used only on pages with something to leave out: on a page that is all content
  (pydoc's) it costs time and the leading `|` of tables.
- A link to `file:` names somebody's disk, not the web, and is dropped (pydoc prints one a page).

What was left out: links and images (a base model has no use for addresses it cannot open), forms, hidden
text.
"""

from __future__ import annotations

import re
import unicodedata

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

PERMALINKS = ["a.headerlink", "a.anchor", "a.hash-link", "a.anchorjs-link"]
SKIPPED = [*PERMALINKS, 'a[href^="file:"]', "noscript", "template", "button", "select"]
TEMPLATE = re.compile(
    r"<script[^>]{1,200}type=[\"']text/(?:x-handlebars-template|x-handlebars|template|x-template|html)[\"'][^>]{0,200}>",
    re.IGNORECASE,
)
SCRIPT_END, PRE_END = re.compile(r"(</script\s*>)", re.IGNORECASE), re.compile(r"(</pre\b)", re.IGNORECASE)
PRE = re.compile(r"<pre\b", re.IGNORECASE)
DEFINITION = re.compile(r"</?dd\b[^>]*>", re.IGNORECASE)
PLACEHOLDER = re.compile(r"{{[^{}]{0,200}}}")
TAB = (
    "\ue002"  # private use, too: a tab of a `pre`, where resiliparse's own two tabs part the cells of a table
)
OPEN, CLOSE = "\ue000", "\ue001"  # private use: mark where a `dd` begins and ends until the text is laid out
INDENT = "    "
FURNITURE = (
    "<nav",
    "<header",
    "<footer",
    "<aside",
    "<main",
    "<article",
    'role="',
    "sidebar",
    "navbar",
    "breadcrumb",
)
"""A page with none of this is all content."""

NEVER_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\xad\u200b\ufeff\ufffc]+")
"""Controls, soft hyphens, zero-width spaces, byte order marks, object placeholders."""


def html_text(html: str, whole_page: bool = False) -> str:
    """The readable text of a page; "" when it has none. `whole_page` keeps menus and footers too."""
    if "text/x-handlebars" in html or "text/template" in html or "text/x-template" in html:
        html = _unwrapped(html)
    tree = HTMLTree.parse(_marked(html))
    main_content = not whole_page and any(part in html for part in FURNITURE)
    return tidy(_laid_out(_extracted(tree, main_content))).replace(TAB, "\t") if tree.body else ""


def _extracted(tree: HTMLTree, main_content: bool) -> str:
    text: str = extract_plain_text(
        tree,
        preserve_formatting=True,
        main_content=main_content,
        alt_texts=False,
        skip_elements=SKIPPED,
    )
    return text


def _marked(html: str) -> str:
    """Put the marks inside each `dd`, and for the tabs of each `pre`.

    In the source, because editing resiliparse's tree is quadratic. HTML lets the end tag be omitted; where
    a page does that, its definitions are not indented.
    """
    for mark in (OPEN, CLOSE, TAB):
        html = html.replace(mark, "")
    if "\t\t" in html and "<pre" in html:
        html = _with_tabs_marked(html)
    lowered = html.lower() if "<DD" in html else html
    if "<dd" not in lowered or lowered.count("<dd") != lowered.count("</dd>"):
        return html

    def mark_tag(tag: re.Match[str]) -> str:
        return CLOSE + "</dd>" if tag.group()[1] == "/" else tag.group() + OPEN

    return DEFINITION.sub(mark_tag, html)


def _unwrapped(html: str) -> str:
    """The page with the contents of its templates in their place. Split first: the work must stay linear."""
    *closed, rest = SCRIPT_END.split(html)
    parts = []
    for before, end in zip(closed[::2], closed[1::2], strict=True):
        opened = TEMPLATE.search(before)
        if opened:
            parts += [before[: opened.start()], PLACEHOLDER.sub("", before[opened.end() :])]
        else:
            parts += [before, end]
    return "".join([*parts, rest])


def _with_tabs_marked(html: str) -> str:
    parts = PRE_END.split(html)
    for at, part in enumerate(parts):
        if opened := PRE.search(part):
            parts[at] = part[: opened.end()] + part[opened.end() :].replace("\t", TAB)
    return "".join(parts)


def _laid_out(text: str) -> str:
    """Indent what lies between the marks, a blank line before each unindented entry."""
    if OPEN not in text:
        return text
    depth, lines, before = 0, [], ""
    for line in text.split("\n"):
        depth_here = depth + (1 if line.lstrip().startswith(OPEN) else 0)
        depth = max(0, depth + line.count(OPEN) - line.count(CLOSE))
        plain = line.replace(OPEN, "").replace(CLOSE, "")
        if not plain.strip() and plain != line:
            continue
        if before == "dd" and depth_here == 0 and plain.strip():
            lines.append("")
        lines.append(INDENT * depth_here + plain)
        before = "dd" if depth_here else ""
    return "\n".join(lines)


def tidy(text: str) -> str:
    """Plain text made regular: NFC, no control characters, no trailing spaces, at most one empty line in a
    row.

    >>> tidy("a\\u00a0b  \\r\\n\\n\\n\\nc")
    'a b\\n\\nc'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    text = NEVER_TEXT.sub("", text).replace("\xa0", " ")
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    if "\t\t" in text:  # what resiliparse puts between the cells of a table
        text = re.sub(r"(?m)^[ ]*\t\t[ \t]*", "", text).replace("\t\t", "  ")
    text = "\n".join([line.rstrip() for line in text.split("\n")])
    if "\n\n\n" in text:
        text = re.sub(r"\n{3,}", "\n\n", text)
    return text.strip("\n")
