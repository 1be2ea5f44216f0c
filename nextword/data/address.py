"""Web addresses in one spelling, so that a page is fetched once (RFC 3986, section 6; WHATWG where bolder).

Lower-cased scheme and host (IDNA for Korean names), no default port, no `.`/`..` steps, no fragment, percent
escapes only where needed and in capitals. Left alone, because a server may mean something by them: the order
of the query's parameters, a slash at the end, `www.`.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

DEFAULT_PORT = {"http": 80, "https": 443}
UNRESERVED = re.compile(r"%(2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)", re.IGNORECASE)
ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
LONGEST = 2000


def normal(address: str, base: str = "") -> str | None:
    """The address (of a link, if `base` is its page) in its one spelling; None unless it is fit to fetch.

    >>> normal("HTTP://Example.ORG:80/a/../b%7e#top")
    'http://example.org/b~'
    """
    try:
        parts = urlsplit(urljoin(base, _clean(address)))
        scheme, port = parts.scheme.lower(), parts.port
        host = _host(parts.hostname or "")
    except ValueError:
        return None
    if scheme not in DEFAULT_PORT or not host or parts.username is not None or parts.password is not None:
        return None
    place = host if port in (None, DEFAULT_PORT[scheme]) else f"{host}:{port}"
    path = _without_dots(_escaped(parts.path, "/:@!$&'()*+,;=")) or "/"
    query = _escaped(parts.query, "/?:@!$&'()*+,;=")
    whole = urlunsplit((scheme, place, path, query, ""))
    return whole if len(whole) <= LONGEST else None


def site(address: str) -> str:
    """The host and port that a normal address belongs to; `www.` is the same site as without it."""
    return urlsplit(address).netloc.removeprefix("www.")


def origin(address: str) -> str:
    """Scheme, host and port of a normal address: where its robots.txt is."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def target(address: str) -> str:
    """Path and query of a normal address: what is asked of the server, what robots.txt speaks of."""
    parts = urlsplit(address)
    return urlunsplit(("", "", parts.path or "/", parts.query, ""))


def _clean(address: str) -> str:
    # As browsers do: no blanks around, no tabs or line breaks inside, backslash is a slash.
    cleaned = re.sub(r"[\t\r\n]", "", address.strip("".join(map(chr, range(33)))))
    head, mark, query = cleaned.partition("?")
    return head.replace("\\", "/") + mark + query


def _host(host: str) -> str:
    if ":" in host:  # an IPv6 address, unwrapped by urlsplit
        if not re.fullmatch(r"[0-9a-f:.]+", host):
            raise ValueError("not an address")
        return f"[{host}]"
    plain = host.rstrip(".").lower()
    if not plain.isascii():
        plain = plain.encode("idna").decode()
    if not re.fullmatch(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?", plain) or ".." in plain:
        raise ValueError("not a host")
    return plain


def _escaped(text: str, safe: str) -> str:
    text = ESCAPE.sub("%25", text)
    text = UNRESERVED.sub(lambda found: chr(int(found[1], 16)), text)
    text = re.sub(r"%[0-9a-f]{2}", lambda found: found[0].upper(), text, flags=re.IGNORECASE)
    return quote(text, safe=safe + "%", errors="replace")


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4: `.` stays, `..` goes up, never above the root; empty steps are kept."""
    kept: list[str] = []
    steps = path.split("/")[1:] if path.startswith("/") else path.split("/")
    for step in steps:
        if step == "..":
            del kept[-1:]
        elif step != ".":
            kept.append(step)
    if steps and steps[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
