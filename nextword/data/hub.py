"""A hub of open models: how a model is named, listed and addressed there, and which of its files we need.

    HOST/OWNER/NAME                                       what a person types or pastes
    HOST/api/models/OWNER/NAME/tree/REV?recursive=1       the listing: path, size, hash
    HOST/OWNER/NAME/resolve/REV/PATH                      a file

This is Hugging Face's layout, which mirrors and in-house hubs serve too; HF_ENDPOINT names another host, and
HF_TOKEN is the key to models that are not for everyone, as in `huggingface_hub`. Files of any size beyond a
page are stored apart (LFS) and listed with their SHA-256; small ones are listed with git's own hash.

Needed are the shape, the tokenizer, the weights in safetensors, and the card and licence that they come with.
Pickled weights (.bin, .pt) can run code when opened and are never fetched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from nextword.common.errors import BadInput
from nextword.data.part_file import Expected
from nextword.data.transport import COMMIT, Denied, NotThere, Transport

PUBLIC = "https://huggingface.co"
NAME = re.compile(r"[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", re.ASCII)
FILE_NAME = re.compile(r"[\w+-][\w.+-]*", re.ASCII)
SINGLE = (".gguf", ".safetensors")
CONFIG, INDEX, WEIGHTS = "config.json", "model.safetensors.index.json", "model.safetensors"
CARD = "README.md"
SMALL = (
    *(CONFIG, CARD, INDEX, "generation_config.json", "tokenizer.json", "tokenizer_config.json"),
    *("special_tokens_map.json", "added_tokens.json", "tokenizer.model", "chat_template.jinja"),
    *("LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE"),
)
"""What is needed besides the weights, where it is there."""

PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
MOST_PAGES = 100


@dataclass(frozen=True)
class Entry:
    """A file as the hub lists it."""

    path: str
    expected: Expected

    @property
    def size(self) -> int:
        """Bytes."""
        return self.expected.size or 0


@dataclass(frozen=True)
class Source:
    """What is asked for: a model on a hub, one file of it, or (without a model) a file at an address."""

    endpoint: str
    model: str
    revision: str
    file: str = ""
    url: str = ""

    @property
    def name(self) -> str:
        """What its folder or file is called here."""
        return self.file.rpartition("/")[2] or self.model.rpartition("/")[2]

    def address(self, path: str) -> str:
        """Where a file of the model is."""
        revision = quote(self.revision, safe="")
        return self.url or f"{self.endpoint}/{self.model}/resolve/{revision}/{quote(path)}"

    @property
    def page(self) -> str:
        """Where people read about the model."""
        return f"{self.endpoint}/{self.model}"


def read_source(text: str, endpoint: str = PUBLIC, revision: str = "", file: str = "") -> Source:
    """What a person means by OWNER/NAME, a model's page, or the address of a file. BadInput for neither.

    >>> read_source("HuggingFaceTB/SmolLM2-135M").name
    'SmolLM2-135M'
    """
    endpoint = endpoint.rstrip("/")
    _check_address(endpoint)
    if "://" not in text:
        if not NAME.fullmatch(text) or ".." in text:
            do = "give OWNER/NAME as on the hub, or the address of a .gguf or .safetensors file"
            raise BadInput(f"no model is called {text!r:.80}", do=do)
        return _checked(Source(endpoint, text, revision or "main", file))
    _check_address(text)
    parts = urlsplit(text)
    if parts.netloc.lower() != urlsplit(endpoint).netloc.lower():
        return _checked(Source(endpoint, "", "", unquote(parts.path).rpartition("/")[2], text))
    found = re.fullmatch(
        r"/(?P<model>[^/]+/[^/]+)(/(tree|resolve|blob)/(?P<revision>[^/]+)(/(?P<file>.+))?)?/?", parts.path
    )
    if found is None or not NAME.fullmatch(found["model"]):
        raise BadInput("is not the page of a model or of a file", where=text, do="give OWNER/NAME")
    said = unquote(found["revision"] or "")
    file = file or unquote(found["file"] or "")
    return _checked(Source(endpoint, found["model"], revision or said or "main", file))


def commit_of(transport: Transport, source: Source) -> str:
    """Which commit a revision is today, so that all that follows is of one; "" where the hub does not say."""
    try:
        return transport.page(source.address(CONFIG))[1].get(COMMIT, "")
    except NotThere:
        return ""  # no such model, or one of GGUF files: its listing tells
    except Denied as error:
        raise refused(error, source) from error


def listing(transport: Transport, source: Source) -> dict[str, Entry]:
    """Every file of a model by its path. BadInput in words of the hub when it cannot be listed."""
    revision = quote(source.revision, safe="")
    address = f"{source.endpoint}/api/models/{source.model}/tree/{revision}?recursive=1"
    found: dict[str, Entry] = {}
    for _ in range(MOST_PAGES):
        body, headers = asked(transport, source, address)
        found |= {entry.path: entry for entry in _entries(body, address)}
        after = re.search(r'<([^>]+)>\s*;\s*rel="?next', headers.get("link", ""))
        if after is None:
            return found
        address = urljoin(address, after[1])
        if urlsplit(address).netloc != urlsplit(source.endpoint).netloc:
            raise BadInput("its listing goes on at another host", where=source.page)
    raise BadInput("its listing has no end", where=source.page)


def asked(transport: Transport, source: Source, address: str) -> tuple[bytes, Mapping[str, str]]:
    """A page of the hub; what it refuses is said as a person can act on it."""
    try:
        return transport.page(address)
    except (Denied, NotThere) as error:
        raise refused(error, source) from error


def refused(error: BadInput, source: Source) -> BadInput:
    """The same in the hub's terms: hubs hide private models behind 401 as well as behind 404."""
    if not source.model:
        return error
    if isinstance(error, NotThere):
        what = f"no such model, file or revision ({source.revision})"
        return NotThere(what, where=source.page, do="look at its page; a private one needs HF_TOKEN")
    do = "accept its terms on its page, then set HF_TOKEN to a token that may read it"
    return Denied("is not for everyone, or not there", where=source.page, do=do)


def chosen_file(entries: Mapping[str, Entry], source: Source) -> Entry:
    """The one file that was asked for."""
    if source.file not in entries:
        there = [path for path in entries if path.endswith(SINGLE)]
        do = f"it has {', '.join(there[:8])}" if there else "look at its page"
        raise BadInput(f"has no file {source.file!r:.80}", where=source.page, do=do)
    return entries[source.file]


def small_files(entries: Mapping[str, Entry], source: Source) -> list[Entry]:
    """What is fetched first. BadInput when the model is not one that we could open."""
    if INDEX not in entries and WEIGHTS not in entries:
        raise _no_weights(list(entries), source)
    if CONFIG not in entries:
        raise BadInput("has no config.json: not a whole model", where=source.page, do="look at its page")
    return [entries[name] for name in SMALL if name in entries]


def weight_files(entries: Mapping[str, Entry], index: bytes | None, source: Source) -> list[Entry]:
    """The safetensors that hold the weights: those that the index names, or the one."""
    if index is None:
        return [entries[WEIGHTS]]
    try:
        names = sorted(set(json.loads(index)["weight_map"].values()))
        if wrong := [name for name in names if not (FILE_NAME.fullmatch(name) and name.endswith(SINGLE[1]))]:
            raise ValueError(f"it names {wrong[0]!r:.80}")
        return [entries[name] for name in names]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"its {INDEX} does not fit its files ({error})", where=source.page) from error


def licence(card: str) -> str:
    """The licence that a model card's head names; "" where it names none.

    >>> licence("---\\nlicense: apache-2.0\\n---\\n# A model")
    'apache-2.0'
    """
    head = re.match(r"---\s*\n(.*?)\n---\s*$", card, re.DOTALL | re.MULTILINE)
    lines = head[1].splitlines() if head else []
    fields = dict(re.findall(r"^(license\w*):[ \t]*(\S.*)$", line)[0] for line in lines if _is_licence(line))
    said = [
        fields[name].strip("\"' ")[:100]
        for name in ("license", "license_name", "license_link")
        if name in fields
    ]
    return ", ".join(said)


def _is_licence(line: str) -> bool:
    return re.match(r"license\w*:[ \t]*\S", line) is not None


def _no_weights(paths: list[str], source: Source) -> BadInput:
    if any(path.endswith(PICKLED) for path in paths):
        what = "its weights are pickled (.bin), which can run code when opened, and there are no others"
        return BadInput(what, where=source.page, do="look for a version of it in safetensors")
    if files := [path for path in paths if path.endswith(".gguf")]:
        do = f"choose with --file: {', '.join(files[:8])}"
        return BadInput("has no folder of weights but GGUF files", where=source.page, do=do)
    return BadInput("has no weights in safetensors", where=source.page, do="look at its page")


def _entries(body: bytes, address: str) -> list[Entry]:
    try:
        rows = json.loads(body)
        return [_entry(row) for row in rows if row["type"] == "file"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = f"the listing is not one of a hub ({type(error).__name__})"
        raise BadInput(what, where=address, do="is HF_ENDPOINT the address of a hub?") from error


def _entry(row: dict[str, Any]) -> Entry:
    stored = row.get("lfs")
    sha256, sha1 = (stored["oid"].removeprefix("sha256:"), "") if stored else ("", row["oid"])
    if not re.fullmatch(r"[0-9a-f]{64}" if stored else r"[0-9a-f]{40}", sha256 or sha1):
        raise ValueError("a hash that is none")
    size = row["size"]
    if type(size) is not int or not 0 <= size < 1 << 50:
        raise ValueError("a size that is none")
    return Entry(str(row["path"]), Expected(size, sha256, sha1))


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput("is not an address", where=url, do="give https://HOST/...")
    if parts.username is not None or parts.password is not None:
        raise BadInput("an address with a name or password in it is not used", do="set HF_TOKEN for a hub")


def _checked(source: Source) -> Source:
    """A file must be one that we open, and its name one that is safe here."""
    if source.file.endswith(PICKLED):
        what = f"{source.file!r:.80} is pickled, which can run code when opened: it is not fetched"
        raise BadInput(what, do=f"look for the same in {' or '.join(SINGLE)}")
    if source.file and not (source.file.endswith(SINGLE) and FILE_NAME.fullmatch(source.name)):
        do = f"give a file that ends in {' or '.join(SINGLE)}"
        raise BadInput(f"{source.file!r:.80} is not a file of weights that we fetch", do=do)
    if not source.file and not source.model:
        raise BadInput("names no file", where=source.url, do=f"give one that ends in {' or '.join(SINGLE)}")
    if source.file.startswith("/") or ".." in source.file.split("/") or ".." in source.revision.split("/"):
        raise BadInput(f"{source.file!r:.80} is not a place in a model's folder")
    return source
