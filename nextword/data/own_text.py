"""Our own words as training text: the README, the docs and some conversations, English and Korean.

The default crawl is English. So that a model made by `make demo` has seen Korean at all, and its tokenizer
has merges for it, our own pages join the crawl. They are guests there: they come after its pages, so that of
two copies the crawl's stays, and they are not enough to train on alone. They are read from the checkout, or,
in an installed wheel, from the copies that the build puts beside this file (`own/`), and they say so in
their addresses. The conversations (`own/conversations.*.jsonl`) are in the package itself. They are never
held out, for finetuning learns them too: their address is one that the hash puts far from it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from nextword.common.dialogue import read_conversations
from nextword.common.records import Conversation, Document, read_records

ADDRESS = "nextword:///"
"""Where our own documents say they come from."""
OWN = Path(__file__).parent / "own"

MANNERS = ("identity", "ability", "greeting", "refusal", "benign")
"""Kinds of conversations: who the assistant is, what it can do, small talk, what it refuses and what not."""


def own_conversations() -> tuple[Path, ...]:
    """The record files of the hand-written conversations, one a language."""
    return tuple(OWN / f"conversations.{lang}.jsonl" for lang in ("en", "ko"))


def manners() -> list[Conversation]:
    """Those of our conversations that anyone may begin with, whatever the pages are about."""
    found = itertools.chain.from_iterable(map(read_conversations, own_conversations()))
    return [one for one in found if one.meta["kind"] in MANNERS]


def own_documents() -> Iterator[Document]:
    """All of it, ordered by address; a wheel without packaged pages has the conversations only."""
    root = _root()
    pages = [_page(root, path) for path in (*root.glob("README*.md"), *root.glob("docs/**/*.md"))]
    pages += [_conversations(lang) for lang in ("en", "ko")]
    yield from sorted((page for page in pages if page.text), key=lambda page: page.url)


def _page(root: Path, path: Path) -> Document:
    relative = path.relative_to(root).as_posix()
    is_korean = relative.endswith(".ko.md") or relative.startswith("docs/ko/")
    text = path.read_text(encoding="utf-8").strip()
    return Document.of(text, ADDRESS + relative, lang="ko" if is_korean else "en", source="nextword")


def _conversations(lang: str) -> Document:
    """All conversations of a language as one page, a turn a paragraph."""
    path = OWN / f"conversations.{lang}.jsonl"
    turns = [message["content"] for record in read_records(path) for message in record["messages"]]
    return Document.of("\n\n".join(turns), f"{ADDRESS}own/{path.name}", lang=lang, source="nextword")


def _root() -> Path:
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent
    is_checkout = (checkout / "pyproject.toml").exists() and (checkout / "docs").is_dir()
    return checkout if is_checkout else package / "data" / "own"
