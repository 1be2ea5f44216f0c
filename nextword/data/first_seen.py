"""What has been seen before, in a corpus of any size: keys on disk, memory for one part of them at a time.

Exact duplicates and repeated lines ask the same question of different keys: is this the first place where
it occurs? A dictionary would answer it on one machine, and grow with the corpus. Here it takes three steps
that any datatrove executor can run:

    record   each task writes its keys (64-bit hash, document, unit), parted by bits of the hash
    find     each part is read alone, sorted; every place but the first is written down for the task it is in
    look up  each task reads its own list of repeats

Two different texts share a hash with probability n^2 / 2^65: for a thousand million lines, 3 %, that one
line is lost. On disk 16 bytes a key; in memory 24 bytes a key of one part, and BUFFERED keys in the first
step.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

BUFFERED = 1 << 18
KEY = np.dtype([("hash", "<u8"), ("document", "<u4"), ("unit", "<u4")])
PLACE = np.dtype([("document", "<u4"), ("unit", "<u4")])

Places = npt.NDArray[np.void]


class KeyWriter:
    """Writes one task's keys, in the order of documents and units, into a file a part."""

    def __init__(self, folder: Path, rank: int, parts: int) -> None:
        self.paths = [folder / f"{part:04d}" / f"{rank:05d}.keys" for part in range(parts)]
        for path in self.paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")  # a task that runs again begins again
        self.buffer = np.zeros(BUFFERED, dtype=KEY)
        self.filled = 0

    def add(self, document: int, hashes: npt.NDArray[np.uint64]) -> None:
        """The keys of one document; the unit is the position in `hashes`."""
        for start in range(0, len(hashes), BUFFERED):
            piece = hashes[start : start + BUFFERED]
            if self.filled + len(piece) > BUFFERED:
                self.flush()
            rows = self.buffer[self.filled : self.filled + len(piece)]
            rows["hash"], rows["document"] = piece, document
            rows["unit"] = np.arange(start, start + len(piece))
            self.filled += len(piece)

    def flush(self) -> None:
        """Move the buffer to the files."""
        rows = self.buffer[: self.filled]
        parts = (rows["hash"] >> np.uint64(32)) % np.uint64(len(self.paths))
        for part, path in enumerate(self.paths):
            with path.open("ab") as file:
                file.write(rows[parts == part].tobytes())
        self.filled = 0


def find_repeats(keys: Path, repeats: Path, part: int) -> None:
    """Write down every place of one part's keys but the first, a file for each task."""
    files = sorted((keys / f"{part:04d}").glob("*.keys"))
    loaded = [np.fromfile(file, dtype=KEY) for file in files]
    everything = np.concatenate(loaded) if loaded else np.zeros(0, dtype=KEY)
    owner = np.repeat(np.arange(len(loaded)), [len(rows) for rows in loaded])
    order = np.argsort(everything["hash"], kind="stable")  # stable: within one hash, the order of the corpus
    ordered = everything["hash"][order]
    again = order[1:][ordered[1:] == ordered[:-1]]
    for number, file in enumerate(files):
        mine = everything[np.sort(again[owner[again] == number])]
        places = np.zeros(len(mine), dtype=PLACE)
        places["document"], places["unit"] = mine["document"], mine["unit"]
        out = repeats / file.stem / f"{part:04d}.repeats"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(places.tobytes())


class Repeats:
    """One task's list of repeats: which units of a document were seen before it."""

    def __init__(self, repeats: Path, rank: int) -> None:
        files = sorted((repeats / f"{rank:05d}").glob("*.repeats"))
        loaded = [np.fromfile(file, dtype=PLACE) for file in files]
        places = np.concatenate(loaded) if loaded else np.zeros(0, dtype=PLACE)
        order = np.lexsort((places["unit"], places["document"]))
        self.documents, self.units = places["document"][order], places["unit"][order]

    def of(self, document: int) -> npt.NDArray[np.uint32]:
        """The units of this document that are repeats, in order."""
        start, end = np.searchsorted(self.documents, [document, document + 1])
        return self.units[start:end]
