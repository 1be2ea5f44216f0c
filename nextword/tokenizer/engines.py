"""The two engines behind `Tokenizer`: `tiktoken` for folders of our making, `tokenizers` for all others.

When are the two one? BPE as trained applies listed *pairs* in order; tiktoken joins *any* neighbours whose
bytes together are a token, lowest id first. Suppose tiktoken's rule, applied to each token's own bytes,
ends in that token through exactly its listed pair. Then the first place where the engines could differ, a
join of x and y into T that is not T's listed pair, cannot come up: no join has crossed T's borders yet, so
what happened inside is what happens to T's bytes alone, and that ends in the listed pair. `ranks` checks
this for every token, so equality is a property of the file, not a hope.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import tiktoken

from nextword.tokenizer import bytelevel
from nextword.tokenizer.special import SPECIALS

_PLAIN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
)
PATTERN = _PLAIN + r"|\s+(?!\S)|\s+"
"""Llama-3's split of text into pieces, within which BPE works."""

_FAST = f"(?:{_PLAIN})" + r"|\s(?=\S)|\s+(?!\S)"
"""PATTERN for tiktoken's regex engine, which tries alternatives one by one when any of them looks ahead.

In a group of their own the plain ones are one automaton, and a single space needs no walk back: 1.5 times the
speed, for English and Korean alike. Tests hold the pieces equal."""

LONG_RUN = 50_000
"""Whitespace from here on is cut by hand: tiktoken's regex engine notes every place to come back to and
panics at a million notes (measured: a run of 100,000 works, one of 1,000,000 does not)."""
_SPACES = r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"


@dataclass(frozen=True)
class Engine:
    """`encode` reads nothing as a special token; `pieces` are the bytes of each ordinary token; `decode` is
    there only when text is not simply the pieces joined."""

    encode: Callable[[str], list[int]]
    pieces: dict[int, bytes]
    decode: Callable[[list[int]], str] | None = None


def is_ours(description: dict[str, Any]) -> bool:
    """Whether a parsed tokenizer.json carries our special tokens, all of them and only them."""
    return tuple(token["content"] for token in description["added_tokens"]) == SPECIALS


def ours(description: dict[str, Any]) -> Engine:
    """tiktoken with the file's merges; ValueError or KeyError when any part of the file contradicts
    another."""
    known = ranks(description["model"])
    steps = description["pre_tokenizer"]["pretokenizers"]
    if [step.get("pattern", {}).get("Regex") for step in steps] != [PATTERN, None]:
        raise ValueError("text is not split as ours is")
    if description["normalizer"] is not None or steps[1]["add_prefix_space"]:
        raise ValueError("text is altered before it is encoded")
    first = len(known)
    if [token["id"] for token in description["added_tokens"]] != [*range(first, first + len(SPECIALS))]:
        raise ValueError("special tokens are not the last of the vocabulary")
    return Engine(bounded(known), {id: token for token, id in known.items()})


def ranks(model: dict[str, Any]) -> dict[bytes, int]:
    """Each token's bytes and id: 256 bytes, then one token a merge, in their order."""
    known = {bytelevel.to_bytes(token): id for token, id in model["vocab"].items()}
    merges = [tuple(map(bytelevel.to_bytes, merge)) for merge in model["merges"]]
    if sorted(known.values()) != list(range(256 + len(merges))):
        raise ValueError(f"{len(known)} tokens do not fit {len(merges)} merges")
    if any(known.get(bytes([byte]), 256) > 255 for byte in range(256)):
        raise ValueError("a byte has no token")
    for id, (left, right) in enumerate(merges, 256):
        if known.get(left + right) != id or last_join(left + right, known) != [left, right]:
            raise ValueError(f"token {id} is not what its merge makes")
    return known


def last_join(token: bytes, known: dict[bytes, int]) -> list[bytes]:
    """The parts that tiktoken's rule joins last when it makes a token from its bytes."""
    limit = known[token]
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        ids = [known.get(parts[i] + parts[i + 1], limit) for i in range(len(parts) - 1)]
        at = ids.index(min(ids))
        if ids[at] >= limit:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def bounded(known: dict[bytes, int], long_run: int = LONG_RUN) -> Callable[[str], list[int]]:
    """tiktoken's encoding, safe from a run of whitespace of any length."""
    runs = re.compile(f"{_SPACES}{{{long_run},}}")

    def engine(pattern: str) -> tiktoken.Encoding:
        return tiktoken.Encoding("nextword", pat_str=pattern, mergeable_ranks=known, special_tokens={})

    split, whole, symbol = engine(_FAST), engine(r"(?s:.+)"), engine(r"[^\s\p{L}\p{N}]")

    def encode(text: str) -> list[int]:
        if len(text) < long_run:
            return split.encode_ordinary(text)
        ids: list[int] = []
        for part, is_piece in _cut(text, runs, lambda character: bool(symbol.encode_ordinary(character))):
            ids += (whole if is_piece else split).encode_ordinary(part)
        return ids

    return encode


def _cut(text: str, runs: re.Pattern[str], is_symbol: Callable[[str], bool]) -> Iterator[tuple[str, bool]]:
    """Parts of a text, and whether each is one piece of PATTERN already: long whitespace taken out by hand.

    A run of whitespace is, by PATTERN: line ends that belong to the symbol before it; everything up to its
    last line end; the rest, but for one character that goes with what follows.
    """
    start = 0
    for run in runs.finditer(text):
        begin, end = run.span()
        if begin and is_symbol(text[begin - 1]):
            begin = end - len(run.group().lstrip("\r\n"))
        yield text[start:begin], False
        lines = max(text.rfind("\r", begin, end), text.rfind("\n", begin, end)) + 1
        if lines > begin:
            yield text[begin:lines], True
            begin = lines
        start = end if end == len(text) else max(begin, end - 1)
        yield text[begin:start], True
    yield text[start:], False


def theirs(data: bytes, description: dict[str, Any]) -> Engine:
    """`tokenizers` for a folder from elsewhere.

    The engine is built without the file's added tokens, so none of them is ever found in text (its own
    switch, `encode_special_tokens`, would still let those through that are not flagged special,
    `<tool_call>` of Qwen for one), and without its template, which would add BOS.
    """
    import tokenizers

    try:
        reader = tokenizers.Tokenizer.from_str(data.decode())
        bare = {
            **description,
            "added_tokens": [],
            "post_processor": None,
            "truncation": None,
            "padding": None,
        }
        writer = tokenizers.Tokenizer.from_str(json.dumps(bare))
    except Exception as error:  # the library raises bare Exception for whatever it dislikes
        raise ValueError(str(error)) from error

    def encode(text: str) -> list[int]:
        ids: list[int] = writer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(ids: list[int]) -> str:
        return str(reader.decode(ids, skip_special_tokens=False))

    vocabulary: dict[str, int] = reader.get_vocab(with_added_tokens=False)
    if "ByteLevel" in json.dumps(description.get("decoder")):
        return Engine(encode, {id: bytelevel.to_bytes(token) for token, id in vocabulary.items()})
    return Engine(encode, {id: _sentencepiece(token) for token, id in vocabulary.items()}, decode)


def _sentencepiece(token: str) -> bytes:
    """The bytes of a SentencePiece token: `▁` is a space, `<0x0A>` is a byte."""
    if re.fullmatch(r"<0x[0-9A-F]{2}>", token):
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode()
