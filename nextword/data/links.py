"""What a crawler needs of a page: its links, its title, and whether it is an error page in disguise.

Some servers answer a missing page with 200 and friendly HTML ("soft 404"); pydoc does. The crawler asks each
site once for a page that cannot exist and keeps the answer as a sample. A page is an error page when it is
titled like the sample, or reads like it, once each page's own address is taken out of it. A site that gives
every page one title would lose them all by the first rule, so that one needs the sample's title to differ
from the front page's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import unquote, urlsplit

import lxml.etree
import lxml.html

from nextword.data.address import normal, target
from nextword.data.charset import decode

UNSEEN = frozenset({"script", "style", "noscript"})
FIRST_TAGS = 400
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml", ""})
NOT_TEXT = re.compile(
    r"\.(?:7z|avi|bin|bmp|bz2|css|deb|dmg|eot|exe|gif|gz|ico|iso|jar|jpe?g|js|json|m4a|mov|mp[34]|mpe?g|ogg|otf|png|"
    r"rar|rpm|so|svg|tar|tgz|tiff?|ttf|wav|webm|webp|whl|woff2?|xml|xz|zip|zst)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Look:
    """An HTML page as the crawler sees it. Links are normal addresses, in order, each once."""

    title: str = ""
    links: tuple[str, ...] = ()
    text: str = ""
    is_indexable: bool = True  # no <meta name=robots content=noindex>
    is_followable: bool = True

    @staticmethod
    def at(url: str, body: bytes, charset: str = "") -> Look:
        """Look at the page at `url`; an empty look when it is no readable HTML."""
        tree = _tree(body, charset)
        if tree is None:
            return Look()
        wishes = ",".join(
            tag.get("content", "").lower()
            for tag in tree.iter("meta")
            if tag.get("name", "").lower() in ("robots", "nextword")
        )
        return Look(
            title=" ".join((tree.findtext(".//title") or "").split()),
            links=_links(url, tree),
            text=_beginning(tree),
            is_indexable="noindex" not in wishes and "none" not in wishes,
            is_followable="nofollow" not in wishes and "none" not in wishes,
        )


@dataclass(frozen=True)
class ErrorSample:
    """How a site answers for a page that cannot exist: titles and text with the address taken out."""

    title: str = ""
    text: str = ""

    @staticmethod
    def of(url: str, look: Look) -> ErrorSample:
        """Learn from the answer for an address that cannot exist."""
        return ErrorSample(_without(url, look.title), _without(url, look.text))

    def unlike(self, url: str, look: Look) -> ErrorSample:
        """The sample less what a page known to be whole shares with it, and so tells nothing."""
        title, text = _without(url, look.title), _without(url, look.text)
        return ErrorSample("" if title == self.title else self.title, "" if text == self.text else self.text)

    def fits(self, url: str, look: Look) -> bool:
        """Whether the page at `url` is such an error page."""
        return bool(
            (self.title and _without(url, look.title) == self.title)
            or (self.text and _without(url, look.text) == self.text)
        )


def may_be_text(url: str) -> bool:
    """False for an address whose name says picture, sound, program or archive."""
    return not NOT_TEXT.search(urlsplit(url).path)


def _tree(body: bytes, charset: str) -> Any:
    """The page's tree (lxml: resiliparse's node lists take quadratic time to walk), or None."""
    decoded = decode(body, charset)
    if decoded is None or not decoded[0].strip():
        return None
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        return lxml.html.document_fromstring(decoded[0].encode("utf-8", "replace"), parser=parser)
    except (lxml.etree.LxmlError, ValueError):
        return None


def _links(url: str, tree: Any) -> tuple[str, ...]:
    written = next((tag.get("href") for tag in tree.iter("base") if tag.get("href")), None)
    base = (normal(written, url) if written else None) or url
    written_once = dict.fromkeys(tag.get("href", "") for tag in tree.iter("a"))
    found = (normal(link, base) for link in written_once if link)
    return tuple(dict.fromkeys(link for link in found if link))


def _beginning(tree: Any) -> str:
    """The first words of the page's text, enough to tell an error page."""
    body = tree.find("body")
    shown = () if body is None else (tag for tag in body.iter(lxml.etree.Element) if tag.tag not in UNSEEN)
    words = " ".join(f"{tag.text or ''} {tag.tail or ''}" for tag in islice(shown, FIRST_TAGS))
    return " ".join(words.split())


def _without(url: str, text: str) -> str:
    """The text with every way of naming its own address replaced by a mark."""
    asked = target(url)
    path = asked.partition("?")[0]
    names = {
        url,
        asked,
        asked[1:],
        path,
        path[1:],
        path.rsplit("/", 1)[-1],
        path.rsplit("/", 1)[-1].split(".")[0],
    }
    names |= {unquote(name) for name in names}
    for name in sorted(names, key=len, reverse=True):
        if len(name) > 2:
            text = text.replace(name, "\0")
    return text
