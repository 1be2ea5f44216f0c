"""Propose questions about any documents, each with the page's own words as its answer, for people to approve.

    made = propose(ProposeSettings(), Path("handbook"), Path("proposals.jsonl"))

For Python's documentation the answers can be derived (seed.py). Other documents have no such form, so here
rules (asking_rules.py) or a drafter, a model behind an OpenAI-compatible address (drafter.py), only propose,
and nothing is learnt before somebody has said yes: `nextword label import` makes each proposal a draft to
correct. What a machine can promise, it does: an answer is copied from the page, `start` and `end` say where
(line breaks in a paragraph became spaces), and the excerpt shown with the question holds it.

A question that two places answer differently is none a person could approve, so it is left out.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextword.common.dialogue import read_conversations, write_conversations
from nextword.common.errors import BadInput, Corrupt
from nextword.common.progress import Progress
from nextword.common.records import Conversation, Document, Message, digest
from nextword.common.settings import check_ranges, option
from nextword.data.archive import Page
from nextword.data.asking_rules import Found, ask
from nextword.data.charset import decode
from nextword.data.drafter import Drafter
from nextword.data.folder import read_folder
from nextword.data.html_text import html_text, tidy
from nextword.data.links import HTML_TYPES
from nextword.data.page_layout import Block, bare, blocks
from nextword.data.sentences import is_korean

KEY = "NEXTWORD_DRAFTER_KEY"
"""The environment variable that holds the drafter's key, where it needs one."""
LONGEST_TITLE = 80
HEADING = re.compile(r"<h([1-6])\b[^<>]*>", re.IGNORECASE)
"""In HTML; its text is marked as Markdown marks one, or a page would have no headings."""
UNTELLING = re.compile(
    r"레퍼런스|참고서|요약|개요|소개|매개변수|사용법|목차|reference|overview|introduction|summary|usage|contents",
    re.I,
)
"""Headings that no page can be told by."""


@dataclass(frozen=True)
class ProposeSettings:
    """What is proposed, how much, and by whom."""

    per_page: int = option(12, "proposals from one document, at most", least=1)
    most: int = option(0, "proposals in all, at most; 0 takes all", least=0)
    excerpt: int = option(450, "letters of the page shown with a question, at most", least=300, most=8000)
    drafter: str = option(
        "", "an OpenAI-compatible address (http://.../v1) that drafts in place of the rules"
    )
    model: str = option("", "the drafter's model")
    allow_private: bool = option(False, "allow a drafter at an address of private networks or this machine")
    seconds: float = option(60.0, "how long the drafter may take for one page", above=0)

    def __post_init__(self) -> None:
        check_ranges(self)
        if bool(self.drafter) != bool(self.model):
            raise BadInput("a drafter needs an address and a model", do="pass --drafter URL --model NAME")


SOURCE = "propose"
"""What a proposal's `meta` says where it is from."""


@dataclass(frozen=True)
class Proposal:
    """A question, the block that answers it, and the words that do."""

    found: Found
    block: Block
    document: Document

    @property
    def lang(self) -> str:
        """The language that it is asked in."""
        return "ko" if is_korean(self.found.question) else "en"


def propose(
    settings: ProposeSettings,
    source: Path,
    out: Path,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Write proposals for the documents under `source` as conversations; returns counts.

    Raises BadInput when there are no documents, when nothing in them can be asked about, when the drafter
    cannot be reached, or when `out` is a file of something else.
    """
    begun = clock()
    _check_place(out)
    draft = Drafter.at(settings, os.environ.get(KEY, "")) if settings.drafter else None
    counts: Counter[str] = Counter()
    found: list[Proposal] = []
    for document in documents(source, counts):
        made = list(_drafted(draft, document, counts) if draft else _by_rules(document))
        found += _fewest(made, settings.per_page)
        if progress:
            progress.advance(facts=f"{len(found)} proposals")
    if not counts["documents"]:
        raise BadInput("holds no document that can be read", where=source, do="see `nextword collect --help`")
    kept = _at_most(_unambiguous(found), settings.most)
    if not kept:
        raise BadInput(
            f"nothing to ask about in {counts['documents']:,} documents", where=source,
            do="give pages of sentences under headings, or a drafter with --drafter URL --model NAME",
        )  # fmt: skip
    write_conversations(out, (conversation(each, settings.excerpt) for each in kept))
    return {
        "documents": counts["documents"],
        "unread": counts["unread"],
        "refused": counts["refused"],
        "proposals": len(kept),
        "rules": dict(Counter(each.found.rule for each in kept).most_common()),
        "languages": dict(Counter(each.lang for each in kept)),
        "seconds": round(clock() - begun, 1),
    }


def _check_place(out: Path) -> None:
    """BadInput where something stands that proposals would replace, such as the documents themselves."""
    if out.is_file() and out.stat().st_size:
        with contextlib.suppress(BadInput, Corrupt):
            first = next(read_conversations(out), None)
            if first and first.meta.get("source") == SOURCE:
                return
        raise BadInput("stands there already, and holds no proposals", where=out, do="choose another --out")


def conversation(proposal: Proposal, most: int) -> Conversation:
    """The question, the page, and the answer as the guide wants it: the quotation, then the page's title."""
    document, found, block = proposal.document, proposal.found, proposal.block
    title = str(document.meta["title"])
    page = f"{title}\n{excerpt(document.text, block, found.quote, most)}"
    messages = [
        Message("user", found.question),
        Message("tool", page, name="search"),
        Message("assistant", f'"{found.quote}" ({title})'),
    ]
    meta = {
        "source": SOURCE, "rule": found.rule, "lang": proposal.lang, "url": document.url,
        "document": document.id, "start": block.start, "end": block.end, "quote": found.quote,
    }  # fmt: skip
    return Conversation(messages, meta=meta)


def excerpt(text: str, block: Block, quote: str, most: int) -> str:
    """What is shown of a page: its nearest heading, the block, and whole blocks after it, `most` letters."""
    said = block.text
    if len(said) > most:
        at = max(0, said.find(quote))
        said = said[at : at + most]
    shown = [block.heading, said] if block.heading and len(block.heading) + len(said) < most else [said]
    for following in blocks(text[block.end :]):
        if following.headings or sum(map(len, shown)) + len(shown) + len(following.text) > most:
            break
        shown.append(following.text)
    return "\n".join(shown)


def documents(source: Path, counts: Counter[str]) -> Iterator[Document]:
    """The documents of a folder or a file as text, with titles; counts those read and those that were not."""
    if not source.exists():
        raise BadInput("no such file or folder", where=source)
    for page in read_folder(source):
        text = _text(page)
        counts["documents" if text else "unread"] += 1
        if text:
            yield Document.of(text, page.url, title=_title(page, text))


def _text(page: Page) -> str:
    if "skip" in page.meta or "failure" in page.meta:
        return ""
    decoded = decode(page.body, page.charset)
    if decoded is None:
        return ""
    if page.content_type not in HTML_TYPES:
        return tidy(decoded[0])
    return html_text(HEADING.sub(lambda tag: f"{tag[0]}{'#' * int(tag[1])} ", decoded[0]))


def _title(page: Page, text: str) -> str:
    """Its own title, else the first heading, else the name of its file or the end of its address."""
    headings = [each for block in blocks(text[:4000]) for each in block.headings]
    telling = (each for each in headings if not UNTELLING.fullmatch(each) and len(each) <= LONGEST_TITLE)
    found = str(page.meta.get("title") or "").strip() or next(telling, "")
    file = "" if page.url.startswith("http") else str(page.meta.get("path", "")).partition("#")[0]
    name = Path(file).stem or page.url.rstrip("/").rpartition("/")[2]
    return " ".join(bare(found).replace('"', "'").split())[:LONGEST_TITLE].strip() or name


def _by_rules(document: Document) -> Iterator[Proposal]:
    """What the rules find in a document's blocks."""
    above: tuple[str, ...] | None = None
    for block in blocks(document.text):
        first, above = block.headings != above, block.headings
        for found in ask(block, first, str(document.meta["title"])):
            if found.quote in block.text:
                yield Proposal(found, block, document)


def _drafted(draft: Drafter, document: Document, counts: Counter[str]) -> Iterator[Proposal]:
    """What the drafter asks, where its answer stands in the page; the others are counted."""
    parts = [block for block in blocks(document.text) if len(block.text) >= 30]
    for question, quote in draft("\n".join(part.text for part in parts)):
        block = next((part for part in parts if quote in part.text), None)
        if block is None or '"' in quote:
            counts["refused"] += 1
            continue
        yield Proposal(Found(question, quote, f"drafter:{draft.model}"), block, document)


def _fewest(made: list[Proposal], most: int) -> list[Proposal]:
    """At most so many of a document's: each rule in turn, and each answer for one question."""
    queues: dict[str, list[Proposal]] = defaultdict(list)
    quotes: set[str] = set()
    for each in made:
        if each.found.quote not in quotes:
            quotes.add(each.found.quote)
            queues[each.found.rule].append(each)
    for queue in queues.values():
        queue.sort(key=lambda each: digest(each.found.question + each.document.id))
    kept: list[Proposal] = []
    while len(kept) < most and any(queues.values()):
        kept += [queue.pop(0) for queue in queues.values() if queue][: most - len(kept)]
    return sorted(kept, key=lambda each: each.block.start)


def _at_most(found: list[Proposal], most: int) -> list[Proposal]:
    """So many of them (0: all) from all documents alike, by a hash of the question; in their order."""
    if not most:
        return found
    ranks = sorted(range(len(found)), key=lambda at: digest(found[at].found.question))
    return [found[at] for at in sorted(ranks[:most])]


def _unambiguous(found: Iterable[Proposal]) -> list[Proposal]:
    """Each question once; none that has different answers."""
    by_question: dict[str, dict[str, Proposal]] = defaultdict(dict)
    for each in found:
        by_question[each.found.question.lower()].setdefault(each.found.quote, each)
    return [next(iter(answers.values())) for answers in by_question.values() if len(answers) == 1]
