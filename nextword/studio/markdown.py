"""Markdown as data: nested [tag, attributes, ...children], which a page hands to its own `h()`.

There is no HTML to insert anywhere, so nothing that somebody writes into a guide can become markup: raw HTML
stays text, images become their words, and a link leads to http, https or a place on the same page, or is
none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

Node = str | list[Any]
TAGS = (
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "blockquote", "em", "strong", "a"),
    *("table", "thead", "tbody", "tr", "th", "td", "s"),
)
"""What opens and closes; leaves (code, hr, br) are made below."""


def nodes(text: str) -> list[Node]:
    """The text's blocks."""
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    root: list[Any] = []
    open_nodes = [root]
    for token in _flat(parser.parse(text)):
        if token.hidden:  # the paragraphs of a tight list
            continue
        if token.nesting > 0:
            node: list[Any] = [token.tag if token.tag in TAGS else "p", _attributes(token)]
            open_nodes[-1].append(node)
            open_nodes.append(node)
        elif token.nesting < 0:
            open_nodes.pop()
        else:
            open_nodes[-1].append(_leaf(token))
    return root


def _flat(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "inline":
            yield from _flat(token.children or ())
        else:
            yield token


def _leaf(token: Token) -> Node:
    if token.type in ("fence", "code_block"):
        lang = token.info.split()[:1]
        return ["pre", {}, ["code", {"class": f"language-{lang[0]}"} if lang else {}, token.content]]
    if token.type == "code_inline":
        return ["code", {}, token.content]
    if token.type in ("hr", "hardbreak"):
        return [token.tag, {}]
    return "\n" if token.type == "softbreak" else token.content


def _attributes(token: Token) -> dict[str, Any]:
    if token.tag == "ol" and "start" in token.attrs:
        return {"start": token.attrs["start"]}
    href = str(token.attrs.get("href", ""))
    if href.startswith("#"):
        return {"href": href}
    if href.lower().startswith(("http://", "https://")):
        return {"href": href, "rel": "noopener noreferrer", "target": "_blank"}
    return {}
