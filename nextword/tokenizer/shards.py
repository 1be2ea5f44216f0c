"""Token shards: the tokenised corpus as files that are mapped, not read.

A shard holds whole documents, each `BOS text EOS`, one after the other. Its numbers lie in the file exactly
as numpy wants them, so opening a terabyte costs nothing and every process of a machine shares the same
pages.

    0    magic          8 bytes   b"NWTOKENS"
    8    version        u32       1
    12   width          u32       bytes a token takes: 2 (vocabulary up to 65,536) or 4
    16   tokens         u64       N
    24   documents      u64       D
    32   tokenizer      32 bytes  SHA-256 of the tokenizer.json that made the ids
    64   payload hash   16 bytes  XXH3-128 of everything after the header
    80   zeros
    120  header hash    8 bytes   XXH3-64 of bytes 0..119
    128  ids            N x width, then zeros up to a multiple of 8
    ...  starts         u64 x (D + 1): where each document begins, counted in tokens; the last one is N
    ...  sizes          u64 x D: UTF-8 bytes of each document's text (bits per byte needs them)

All numbers are little-endian. The table comes after the ids because a stream's length is known only at its
end; the header is written last. The hashes find accidents (a bad disk, a cut copy), not forgers.
`tokens.json` lists the shards of each split, so a lost or swapped file is found too. What is left out:
compression (ids of a trained BPE hold 10 to 11 bits of 16, and mapping is worth more) and appending.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import read_json, written_atomically

MAGIC, VERSION, HEADER = b"NWTOKENS", 1, 128
INDEX = "tokens.json"
SHARD_TOKENS = 100_000_000
"""A shard is closed after the document that brings it to this many tokens."""

Ids = NDArray[Any]
_FIELDS = struct.Struct("<8sIIQQ32s16s40s")


@dataclass(frozen=True)
class ShardInfo:
    """What `tokens.json` says of one shard."""

    file: str
    tokens: int
    documents: int
    bytes: int
    checksum: str


class ShardWriter:
    """Writes one shard as its documents arrive; memory holds 16 bytes a document."""

    def __init__(self, file: IO[bytes], width: int, fingerprint: str) -> None:
        self._file, self._width, self._fingerprint = file, width, fingerprint
        self._dtype = np.dtype(f"<u{width}")
        self._hash = xxhash.xxh3_128()
        self._starts, self._sizes = array("Q", [0]), array("Q")
        file.write(bytes(HEADER))

    @property
    def tokens(self) -> int:
        """Tokens written so far."""
        return self._starts[-1]

    def add(self, ids: Ids, size: int) -> None:
        """Append one document: its ids, BOS and EOS included, and the UTF-8 bytes of its text."""
        self._write(np.asarray(ids, self._dtype).tobytes())
        self._starts.append(self.tokens + len(ids))
        self._sizes.append(size)

    def close(self, name: str) -> ShardInfo:
        """Write the table and the header."""
        self._write(bytes(-self.tokens * self._width % 8))
        for table in (self._starts, self._sizes):
            self._write(np.asarray(table, "<u8").tobytes())
        checksum, tokenizer = self._hash.digest(), bytes.fromhex(self._fingerprint)
        header = _FIELDS.pack(
            MAGIC, VERSION, self._width, self.tokens, len(self._sizes), tokenizer, checksum, bytes(40)
        )
        self._file.seek(0)
        self._file.write(header + struct.pack("<Q", xxhash.xxh3_64_intdigest(header)))
        return ShardInfo(name, self.tokens, len(self._sizes), sum(self._sizes), checksum.hex())

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)


def write_shards(
    folder: Path,
    split: str,
    documents: Iterable[tuple[Ids, int]],
    *,
    fingerprint: str,
    vocab_size: int,
    shard_tokens: int = SHARD_TOKENS,
) -> list[ShardInfo]:
    """Write `SPLIT-00000.tokens` and so on from (ids, bytes of text) pairs, as they come."""
    width = 2 if vocab_size <= 1 << 16 else 4
    stream, shards = iter(documents), list[ShardInfo]()
    pending = next(stream, None)
    while pending is not None or not shards:  # an empty split still has one (empty) shard
        name = f"{split}-{len(shards):05d}.tokens"
        with written_atomically(folder / name) as file:
            writer = ShardWriter(file, width, fingerprint)
            while pending is not None and (not writer.tokens or writer.tokens < shard_tokens):
                writer.add(*pending)
                pending = next(stream, None)
            shards.append(writer.close(name))
    return shards


class Shard:
    """One mapped shard file."""

    def __init__(self, path: Path, verify: bool = True) -> None:
        """Map `path`; `verify` reads it once to compare its hash (10 GB/s from memory, else the disk's
        speed)."""
        self.path = path
        try:
            self._map: Ids = np.memmap(path, np.uint8, "r")
        except FileNotFoundError as error:
            raise BadInput("no such file", where=path, do="run `nextword tokenise` again") from error
        except (OSError, ValueError) as error:
            raise Corrupt(f"cannot be mapped ({error})", where=path) from error
        self._read_header()
        if verify and xxhash.xxh3_128_digest(self._map[HEADER:].data) != self.checksum:
            raise _damaged(path, "its content does not match its checksum")
        if verify and (
            self.starts[0] != 0 or self.starts[-1] != self.tokens or np.any(np.diff(self.starts) < 0)
        ):
            raise _damaged(path, "its document table is out of order")

    def _read_header(self) -> None:
        head = self._map[:HEADER].tobytes()
        if len(head) < HEADER or head[:8] != MAGIC:
            raise _damaged(self.path, "not a token shard")
        _, version, width, tokens, documents, tokenizer, checksum, _ = _FIELDS.unpack(head[: _FIELDS.size])
        if version != VERSION:
            raise Corrupt(
                f"is a shard of version {version}, this program reads version {VERSION}",
                where=self.path,
                do="run `nextword tokenise` again",
            )
        if head[_FIELDS.size :] != struct.pack("<Q", xxhash.xxh3_64_intdigest(head[: _FIELDS.size])):
            raise _damaged(self.path, "its header is damaged")
        table = HEADER + -(-tokens * width // 8) * 8
        size = table + 8 * (2 * documents + 1)
        if len(self._map) != size:
            raise _damaged(self.path, f"{len(self._map):,} bytes long, expected {size:,}")
        self.tokens: int = tokens
        self.documents: int = documents
        self.fingerprint: str = tokenizer.hex()
        self.checksum: bytes = checksum
        self.ids: Ids = self._map[HEADER : HEADER + tokens * width].view(f"<u{width}")
        self.starts: Ids = self._map[table : table + 8 * (documents + 1)].view("<i8")
        self.sizes: Ids = self._map[table + 8 * (documents + 1) :].view("<i8")


class Shards:
    """One split of a tokenised corpus, seen as a single row of tokens."""

    def __init__(self, shards: Sequence[Shard], where: Path) -> None:
        self.shards, self.where = list(shards), where
        counts = [shard.tokens for shard in self.shards]
        self._firsts = np.cumsum([0, *counts])  # (shards + 1,), the first token of each shard
        self._document_firsts = np.cumsum([0, *(shard.documents for shard in self.shards)])
        self.tokens = int(self._firsts[-1])
        self.documents = int(self._document_firsts[-1])

    @staticmethod
    def open(folder: Path, split: str, *, verify: bool = True, fingerprint: str | None = None) -> Shards:
        """Map the shards of a split ("train" or "heldout") that `tokens.json` lists.

        `verify=False` skips the checksums (for terabytes); `fingerprint` is the tokenizer that the caller
        will use: BadInput when the shards were made by another. Corrupt for damaged, lost or swapped files.
        """
        shards = []
        for info in _listed(folder / INDEX, split):
            shard = Shard(folder / info.file, verify)
            if shard.checksum.hex() != info.checksum:
                raise _damaged(shard.path, f"not the file that {INDEX} lists")
            if fingerprint is not None and shard.fingerprint != fingerprint:
                raise BadInput(
                    f"made by tokenizer {shard.fingerprint[:12]}, not {fingerprint[:12]}",
                    where=shard.path,
                    do="run `nextword tokenise` with this tokenizer",
                )
            shards.append(shard)
        return Shards(shards, folder)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the tokenizer.json behind these ids."""
        return self.shards[0].fingerprint

    @property
    def bytes(self) -> int:
        """UTF-8 bytes of all documents' text."""
        return sum(int(shard.sizes.sum()) for shard in self.shards)

    def read(self, start: int, stop: int) -> NDArray[np.int64]:
        """Tokens start..stop of the whole row, across shards, as int64."""
        assert 0 <= start <= stop <= self.tokens, f"{start}..{stop} of {self.tokens} tokens"
        out = np.empty(stop - start, np.int64)
        index = int(np.searchsorted(self._firsts, start, "right")) - 1
        at = start
        while at < stop:
            first, end = int(self._firsts[index]), min(stop, int(self._firsts[index + 1]))
            out[at - start : end - start] = self.shards[index].ids[at - first : end - first]
            at, index = end, index + 1
        return out

    def document_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The document that each token position belongs to; same shape."""
        out = np.empty_like(positions)
        indices = np.searchsorted(self._firsts[1:], positions, "right")
        for index in np.unique(indices):
            here = indices == index
            local = positions[here] - self._firsts[index]
            found = np.searchsorted(self.shards[index].starts, local, "right") - 1
            out[here] = found + self._document_firsts[index]
        return out

    def iterate(self) -> Iterator[tuple[Ids, int]]:
        """Each document's ids (a view of the file) and the bytes of its text."""
        for shard in self.shards:
            for number in range(shard.documents):
                start, stop = int(shard.starts[number]), int(shard.starts[number + 1])
                yield shard.ids[start:stop], int(shard.sizes[number])


def _listed(index: Path, split: str) -> list[ShardInfo]:
    splits = read_json(index)
    try:
        return [ShardInfo(**info) for info in splits["splits"][split]["shards"]]
    except (KeyError, TypeError) as error:
        raise Corrupt(f"does not list the shards of {split!r}", where=index) from error


def _damaged(path: Path, what: str) -> Corrupt:
    return Corrupt(what, where=path, do="run `nextword tokenise` again")
