"""The run.c driver: a GGUF file through the C library, its KV pages dealt out here.

C owns a pool of pages and computes; which page holds which positions of whom is decided here, by the
simplest rule there is: a sequence gets at its beginning the pages for all it may become, and gives them back
when it ends. Nothing is padded: rows of different lengths share a pass. (Sharing the pages of a common
beginning and taking pages as they are needed are for the scheduler that comes later.)
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from nextword.common.errors import Failure
from nextword.engine.driver import CACHE_BYTES, Logits
from nextword.engine.local import LocalModel
from nextword.release.gguf_file import CHECKSUM, inspect
from nextword.runner.library import RunC

PAGE = 64
"""Positions a page holds."""
CHUNK = 512
"""Tokens whose logits are asked for at once when scoring."""
CONTROL = 3
"""The token type of control tokens in GGUF."""


def open_gguf(path: Path, batch: int = 16, threads: int = 0) -> LocalModel:
    """A LanguageModel over a GGUF file; the checksum that ours carry is verified.

    Raises BadInput for a file it cannot run, Corrupt for one of ours that has changed, Missing without a C
    compiler.
    """
    with RunC.open(path, pages=1, page_size=PAGE, threads=1) as peek:
        if peek.string(CHECKSUM) is not None:
            inspect(path, verify=True)
        whole = -(-peek.information.context_length // PAGE)
        pages = max(1, min(batch * whole, CACHE_BYTES // peek.information.page_bytes))
    model = RunC.open(path, pages=pages, page_size=PAGE, threads=threads)
    ends = {model.information.eos, model.information.eot} - {-1}
    return LocalModel(RunCDriver(model), GGUFVocabulary(model), ends, batch)


class GGUFVocabulary:
    """The tokenizer inside the file, as the driver's callers want it."""

    def __init__(self, model: RunC) -> None:
        self._model = model
        self.vocab_size = model.information.vocab_size
        self.bos = model.information.bos if model.information.add_bos and model.information.bos >= 0 else None

    def encode(self, text: str) -> list[int]:
        """Ids of plain text."""
        return self._model.tokenize(text)

    def token_bytes(self, id: int) -> bytes:
        """The bytes of one token; b"" for a control token."""
        return self._model.token_bytes(id)

    @cached_property
    def special(self) -> dict[str, int]:
        """Control tokens by name, read when first asked for: text to continue does without."""
        keys = inspect(self._model.path).keys
        tokens, types = keys.get("tokenizer.ggml.tokens", []), keys.get("tokenizer.ggml.token_type", [])
        return {
            name: id for id, (name, kind) in enumerate(zip(tokens, types, strict=False)) if kind == CONTROL
        }

    @property
    def chat_template(self) -> str | None:
        """The Jinja template in the file's metadata."""
        return self._model.string("tokenizer.chat_template")


class RunCDriver:
    """Runs a GGUF's weights by run.c."""

    def __init__(self, model: RunC) -> None:
        self.model, self.name = model, str(model.path)
        self.context = min(model.information.context_length, model.pages * PAGE)  # what there is memory for
        self.vocab_size = model.information.vocab_size
        self._free = list(range(model.pages))
        self._dealing = threading.Lock()

    def rows(self, positions: int) -> int:
        """How many sequences of so many positions the pool holds."""
        return max(1, self.model.pages // -(-min(positions, self.context) // PAGE))

    def begin(self, prompts: Sequence[Sequence[int]], room: int) -> tuple[RunCBatch, Logits]:
        """Read the prompts together; the batch and (B, V) logits after each."""
        batch = RunCBatch(self, [min(len(prompt) + room, self.context) for prompt in prompts])
        try:
            return batch, batch.read(prompts)
        except BaseException:
            batch.close()
            raise

    def logprobs(self, ids: Sequence[int], start: int) -> list[float]:
        """Natural-log probability of each of ids[start:]."""
        batch = RunCBatch(self, [len(ids)])
        try:
            table, found = batch.tables([0]), []
            for begin in range(0, len(ids) - 1, CHUNK):
                places = np.arange(begin, min(begin + CHUNK, len(ids) - 1))
                wanted = places >= start - 1
                logits = self.model.decode(np.asarray(ids)[places], places, table, wanted).astype(np.float64)
                top = logits.max(axis=1, keepdims=True)
                total = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
                chosen = np.asarray(ids)[places[wanted] + 1]
                found += (logits[np.arange(len(chosen)), chosen] - total).tolist()
            return found
        finally:
            batch.close()

    def deal(self, count: int) -> list[int]:
        """So many pages of the pool; Failure when others hold too many."""
        with self._dealing:
            if count > len(self._free):
                what = f"{count} pages of keys and values are needed and {len(self._free)} are free"
                raise Failure(
                    what, where=self.name, do="let other requests end first, or ask for fewer tokens"
                )
            left = len(self._free) - count
            dealt, self._free = self._free[left:], self._free[:left]
            return dealt

    def take_back(self, pages: list[int]) -> None:
        """Pages that nobody needs any more."""
        with self._dealing:
            self._free += pages


class RunCBatch:
    """Sequences by their pages and lengths."""

    def __init__(self, driver: RunCDriver, capacities: Sequence[int]) -> None:
        self.driver = driver
        self.pages: list[list[int]] = []
        self.lengths = [0] * len(capacities)
        try:
            for capacity in capacities:
                self.pages.append(driver.deal(-(-capacity // PAGE)))
        except Failure:
            self.close()
            raise

    def read(self, tokens: Sequence[Sequence[int]]) -> Logits:
        """Append tokens to each row; (B, V) logits after the last of each."""
        owners = np.concatenate([np.full(len(row), index) for index, row in enumerate(tokens)])
        places = np.concatenate(
            [np.arange(len(row)) + length for row, length in zip(tokens, self.lengths, strict=True)]
        )
        ids = np.concatenate([np.asarray(row) for row in tokens])
        is_last = np.append(owners[1:] != owners[:-1], True)
        logits = self.driver.model.decode(ids, places, self.tables(range(len(tokens))), is_last, owners)
        self.lengths = [length + len(row) for row, length in zip(tokens, self.lengths, strict=True)]
        return logits

    def step(self, tokens: Sequence[int]) -> Logits:
        """Append one token to each row; (B, V) logits after it."""
        return self.read([[token] for token in tokens])

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only; the others' pages go back at once.

        One named twice goes on as two, the second with pages of its own.
        """
        again = [row for at, row in enumerate(rows) if row in rows[:at]]
        spare = self.driver.deal(sum(len(self.pages[row]) for row in again))
        for row in set(range(len(self.pages))) - set(rows):
            self.driver.take_back(self.pages[row])
        kept: list[list[int]] = []
        for at, row in enumerate(rows):
            pages = self.pages[row]
            if row in rows[:at]:
                pages, spare = self._copied(row, spare[: len(pages)]), spare[len(pages) :]
            kept.append(pages)
        self.pages, self.lengths = kept, [self.lengths[row] for row in rows]

    def _copied(self, row: int, pages: list[int]) -> list[int]:
        """Pages that hold the same as a row's."""
        used = -(-self.lengths[row] // PAGE)
        for source, target in zip(self.pages[row][:used], pages, strict=False):
            self.driver.model.copy_page(source, target)
        return pages

    def close(self) -> None:
        """Give every page back."""
        for pages in self.pages:
            self.driver.take_back(pages)
        self.pages = []

    def tables(self, rows: Sequence[int]) -> np.ndarray:
        """(rows, width) page tables, short ones filled up with a page that is never looked at."""
        width = max(len(self.pages[row]) for row in rows)
        return np.array(
            [self.pages[row] + [0] * (width - len(self.pages[row])) for row in rows], dtype=np.int32
        )
