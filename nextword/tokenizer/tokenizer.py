"""`Tokenizer`: text to ids and back, the same ids that `transformers.AutoTokenizer` gives.

A folder of our own making is encoded by `tiktoken`, several times faster than the library that trained it;
any other Hugging Face folder (Llama 2, Llama 3, Qwen, Mistral) by `tokenizers`. `engines.py` says why the
ids are the same.

Special tokens in text stay text. Whoever spells `<|end|>` in a document or a chat gets a few ordinary
tokens; only `encode(special=True)`, for text that we wrote ourselves, reads them as what they are.
(AutoTokenizer reads them always: that is how a web page ends a system prompt.)
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import read_json
from nextword.tokenizer import engines

TEMPLATE = "chat_template.jinja"
"""Where newer folders keep the chat template; it comes before the one in tokenizer_config.json."""

REPORT = "tokenizer.report.json"
"""What training wrote about the tokenizer beside it, its hash included."""


class Tokenizer:
    """Text to ids and back. `bos`, `eos` and `pad` are ids, or None where the folder names none."""

    def __init__(self, data: bytes, config: dict[str, Any], where: Path) -> None:
        """`data` is a tokenizer.json, `config` its tokenizer_config.json ({} when there is none)."""
        self.where, self.config = where, config
        self.fingerprint = hashlib.sha256(data).hexdigest()
        try:
            description = json.loads(data)
            added = {token["content"]: int(token["id"]) for token in description["added_tokens"]}
            self.is_ours = engines.is_ours(description)
            self._engine = engines.ours(description) if self.is_ours else engines.theirs(data, description)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise Corrupt(
                f"not a sound tokenizer ({error})", where=where, do="train or copy it anew"
            ) from error
        self.special = dict(sorted(added.items(), key=lambda item: item[1]))
        self._pieces = {**self._engine.pieces, **dict.fromkeys(self.special.values(), b"")}
        self.vocab_size = max(self._pieces) + 1
        self.bos, self.eos, self.pad = (self._named(f"{name}_token") for name in ("bos", "eos", "pad"))

    @staticmethod
    def load(folder: Path) -> Tokenizer:
        """Open a folder with a tokenizer.json; BadInput when there is none, Corrupt when it is damaged.

        Corrupt too when tokenizer_config.json names as a special token what is none.
        """
        path = folder / "tokenizer.json"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BadInput(
                f"no tokenizer here ({error.strerror})", where=path, do="name a folder that has one"
            ) from error
        if (folder / REPORT).exists():
            report = read_json(folder / REPORT)
            if not isinstance(report, dict) or report.get("sha256") != hashlib.sha256(data).hexdigest():
                raise Corrupt(f"does not match its {REPORT}", where=path, do="train the tokenizer again")
        described, template = folder / "tokenizer_config.json", folder / TEMPLATE
        config = _object(described) if described.exists() else {}
        if template.exists():
            config = {**config, "chat_template": template.read_text(encoding="utf-8", errors="replace")}
        return Tokenizer(data, config, path)

    def encode(self, text: str, *, bos: bool = False, special: bool = False) -> list[int]:
        """Ids of a text. What looks like a special token in it is text, unless `special` says it is ours.

        A lone surrogate (half a character, not Unicode text) becomes U+FFFD.
        """
        text = unicode(text)
        ids = self._encode_special(text) if special else self._engine.encode(text)
        return [self.required("bos"), *ids] if bos else ids

    def encode_batch(self, texts: Iterable[str], *, bos: bool = False) -> list[list[int]]:
        """Ids of several texts."""
        return [self.encode(text, bos=bos) for text in texts]

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The text of ids; bytes that are not UTF-8 become U+FFFD. Special tokens vanish unless asked for."""
        pieces = [self.token_bytes(id) for id in ids]
        if self._engine.decode is not None:
            return self._engine.decode([id for id in ids if special or id not in self._names])
        if special:
            pieces = [
                self._names[id].encode() if id in self._names else piece
                for id, piece in zip(ids, pieces, strict=True)
            ]
        return b"".join(pieces).decode("utf-8", "replace")

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """The bytes of ids, for ours exactly those that were encoded; special tokens have none."""
        return b"".join(map(self.token_bytes, ids))

    def token_bytes(self, id: int) -> bytes:
        """The bytes of one token, perhaps only a part of a character; b"" for a special one."""
        piece = self._pieces.get(id)
        if piece is None:
            raise BadInput(f"has no token {id} (its vocabulary has {self.vocab_size:,})", where=self.where)
        return piece

    @property
    def chat_template(self) -> str | None:
        """The folder's Jinja template, if it has one."""
        template = self.config.get("chat_template")
        return template if isinstance(template, str) else None

    def required(self, name: str) -> int:
        """The id of "bos", "eos" or "pad"; BadInput when the folder names none."""
        id: int | None = getattr(self, name)
        if id is None:
            raise BadInput(f"names no {name}_token", where=self.where.with_name("tokenizer_config.json"))
        return id

    @cached_property
    def _names(self) -> dict[int, str]:
        return {id: name for name, id in self.special.items()}

    @cached_property
    def _special_pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self.special, key=len, reverse=True)
        return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")

    def _encode_special(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in self._special_pattern.split(text) if self.special else [text]:
            if part in self.special:
                ids.append(self.special[part])
            elif part:
                ids += self._engine.encode(part)
        return ids

    def _named(self, name: str) -> int | None:
        token = self.config.get(name)
        if token is None:
            return None
        token = token.get("content") if isinstance(token, dict) else token
        if not isinstance(token, str) or (self.is_ours and token not in self.special):
            raise Corrupt(
                f"{name} is {token!r:.80}, which is no special token of tokenizer.json",
                where=self.where.with_name("tokenizer_config.json"),
            )
        return self.special.get(token)


class IncrementalDecoder:
    """Text as tokens come, holding back a character until its last byte is there.

    The pieces, `finish` included, join to exactly `bytes.decode("utf-8", "replace")` of all the tokens'
    bytes.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, id: int) -> str:
        """The text that became complete with this token, perhaps ""."""
        return self._decoder.decode(self._tokenizer.token_bytes(id))

    def finish(self) -> str:
        """What is left when no more tokens come: U+FFFD for a character that was never completed, or ""."""
        return self._decoder.decode(b"", final=True)


def unicode(text: str) -> str:
    """The text with surrogate pairs joined and lone surrogates replaced, so that it has a UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _object(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise Corrupt("not a JSON object", where=path)
    return value
