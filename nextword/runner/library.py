"""run.c from Python: `RunC`, a typed handle on the shared library by ctypes.

The handle is the paged batch call of the design: the caller says which token of which sequence sits at which
position and which page of the pool holds that position's keys and values; C owns the pool and copies, reads
out and writes back whole pages. A page manager above it can so fork, share and swap sequences.

    with RunC.open(Path("model.gguf"), pages=64, page_size=16) as model:
        ids = model.tokenize("Once upon a time")
        logits = model.decode(ids, range(len(ids)), [[0]], want_logits=[False] * (len(ids) - 1) + [True])

What is checked here: shapes. What is checked in C: every token, position and page. Calls hold a lock, since a
handle is for one thread at a time; ctypes lets go of the interpreter meanwhile.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextword.common.errors import BadInput, Failure
from nextword.runner.build import built_library

_ERROR_SIZE = 512
_SHAPE = ("vocab_size", "context_length", "embedding_length", "block_count", "head_count", "head_count_kv")
_COUNTS = (*_SHAPE, "head_length", "bos", "eos", "eot", "pad", "add_bos")


class Information(ctypes.Structure):
    """What a file says of itself; names follow GGUF's keys. Ids are -1 where the file names none."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in _COUNTS),
        *((name, ctypes.c_int64) for name in ("page_bytes", "file_bytes")),
    ]
    vocab_size: int
    context_length: int
    embedding_length: int
    block_count: int
    head_count: int
    head_count_kv: int
    head_length: int
    bos: int
    eos: int
    eot: int
    pad: int
    add_bos: int
    page_bytes: int
    file_bytes: int


@functools.cache
def load_library(path: Path | None = None) -> ctypes.CDLL:
    """The shared library, its functions' types declared; built first if need be (Missing: no compiler)."""
    library = ctypes.CDLL(str(path or built_library()))
    pointer, number, wide, text = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_char_p
    size, real = ctypes.c_size_t, ctypes.c_double
    functions: dict[str, tuple[Any, list[Any]]] = {
        "nw_open": (pointer, [text, wide, wide, number, number, text, size]),
        "nw_close": (None, [pointer]),
        "nw_information": (None, [pointer, ctypes.POINTER(Information)]),
        "nw_decode": (
            number,
            [pointer, pointer, pointer, pointer, wide, pointer, wide, wide, pointer, pointer, text, size],
        ),
        "nw_tokenize": (wide, [pointer, text, wide, number, pointer, wide]),
        "nw_token_bytes": (wide, [pointer, number, pointer, wide]),
        "nw_string": (wide, [pointer, text, pointer, wide]),
        "nw_special": (number, [pointer, text]),
        "nw_kernels": (text, [pointer]),
        "nw_copy_page": (number, [pointer, wide, wide]),
        "nw_read_page": (number, [pointer, wide, pointer]),
        "nw_write_page": (number, [pointer, wide, pointer]),
        "nw_pieces": (wide, [pointer, text, wide, pointer, wide]),
        "nw_unpack": (None, [number, pointer, wide, pointer]),
        "nw_multiply": (number, [number, pointer, wide, wide, pointer, wide, pointer]),
        "nw_choose": (number, [pointer, wide, real, wide, real, real, real, pointer, wide, real]),
        "nw_turn": (wide, [pointer, text, text, number, pointer, wide, text, size]),
        "nw_coin": (real, [ctypes.c_uint64, ctypes.c_uint64]),
    }
    for name, (result, arguments) in functions.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class RunC:
    """An open model: weights mapped from the file, a pool of pages, threads. Close it, or use `with`."""

    def __init__(self, library: ctypes.CDLL, handle: int, path: Path, pages: int, page_size: int) -> None:
        self._library, self._handle = library, handle
        self._lock = threading.Lock()
        self.path, self.pages, self.page_size = path, pages, page_size
        self.information = Information()
        library.nw_information(handle, ctypes.byref(self.information))

    @staticmethod
    def open(
        path: Path, pages: int, page_size: int, threads: int = 0, kv: Literal["f32", "f16"] = "f32"
    ) -> RunC:
        """Map a GGUF file. threads 0 is one for each core; kv is how keys and values are kept.

        Raises BadInput in one line for anything wrong with the file, Missing without a C compiler.
        """
        library = load_library()
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        name = str(path).encode("utf-8", "surrogateescape")
        handle = library.nw_open(name, pages, page_size, threads, int(kv == "f16"), error, _ERROR_SIZE)
        if not handle:
            raise BadInput(error.value.decode("utf-8", "replace"), where=path)
        return RunC(library, handle, path, pages, page_size)

    def close(self) -> None:
        """Give everything back; calling it again does nothing."""
        with self._lock:
            if self._handle:
                self._library.nw_close(self._handle)
            self._handle = 0

    def __enter__(self) -> RunC:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", 0):
            self.close()

    def decode(
        self,
        tokens: Sequence[int] | NDArray[np.integer],
        positions: Sequence[int] | NDArray[np.integer],
        page_tables: ArrayLike,
        want_logits: Sequence[bool] | NDArray[np.bool_],
        sequences: Sequence[int] | NDArray[np.integer] | None = None,
    ) -> NDArray[np.float32]:
        """Run a batch: (T) tokens at (T) positions; logits (W, vocab_size) of the W tokens that were wanted.

        `page_tables` is (sequences, width): entry [s, i] is the page that holds positions i * page_size ..
        of sequence s; entries beyond a sequence's last position are not looked at. `sequences` says which row
        each token belongs to; left out, all belong to the only row, or token t to row t. Tokens of one
        sequence come in rising position; every earlier one must have been run or be in this batch.

        Raises BadInput for a token, position or page that does not exist.
        """
        ids, places = _integers(tokens), _integers(positions)
        tables = np.ascontiguousarray(page_tables, dtype=np.int32)
        wanted = np.ascontiguousarray(want_logits, dtype=np.uint8)
        if tables.ndim != 2:
            raise BadInput(f"page_tables has {tables.ndim} dimensions, expected (sequences, width)")
        if sequences is None:
            owners = np.zeros(len(ids), np.int32) if len(tables) == 1 else np.arange(len(ids), dtype=np.int32)
        else:
            owners = _integers(sequences)
        if not len(ids) == len(places) == len(wanted) == len(owners):
            lengths = f"{len(ids)}, {len(places)}, {len(wanted)} and {len(owners)}"
            raise BadInput(
                f"tokens, positions, want_logits and sequences have lengths {lengths}, expected equal"
            )
        logits = np.empty((int(np.count_nonzero(wanted)), self.information.vocab_size), np.float32)
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        with self._lock:
            failed = self._library.nw_decode(
                self._open_handle(),
                *(ids.ctypes.data, places.ctypes.data, owners.ctypes.data, len(ids)),
                *(tables.ctypes.data, tables.shape[0], tables.shape[1]),
                *(wanted.ctypes.data, logits.ctypes.data, error, _ERROR_SIZE),
            )
        if failed:
            raise BadInput(error.value.decode("utf-8", "replace"), where=self.path)
        return logits

    def tokenize(self, text: str | bytes, special: bool = False) -> list[int]:
        """The ids of a text, no BOS added. `special`: text that spells a control token becomes it."""
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        out = np.empty(len(raw) + 16, np.int32)
        with self._lock:
            call = self._library.nw_tokenize
            count = call(self._open_handle(), raw, len(raw), int(special), out.ctypes.data, len(out))
            if count > len(out):
                out = np.empty(count, np.int32)
                count = call(self._open_handle(), raw, len(raw), int(special), out.ctypes.data, len(out))
        if count < 0:
            raise Failure("not enough memory for so long a text", where=self.path)
        return [int(id) for id in out[:count]]

    def token_bytes(self, id: int) -> bytes:
        """The bytes a token stands for; empty for control tokens and ids that do not exist."""
        with self._lock:
            return (
                _copied(lambda out, room: self._library.nw_token_bytes(self._open_handle(), id, out, room))
                or b""
            )

    def detokenize(self, ids: Sequence[int]) -> bytes:
        """The bytes of a run of tokens. (SentencePiece begins a text with a space that is not the text's.)"""
        return b"".join(map(self.token_bytes, ids))

    def string(self, key: str) -> str | None:
        """A string of the file's metadata, such as `tokenizer.chat_template`, or None."""
        name = key.encode()
        with self._lock:
            raw = _copied(lambda out, room: self._library.nw_string(self._open_handle(), name, out, room))
        return None if raw is None else raw.decode("utf-8", "replace")

    def special_id(self, name: str) -> int | None:
        """The id of a control token by its name, such as `<|end|>`."""
        with self._lock:
            id: int = self._library.nw_special(self._open_handle(), name.encode())
        return None if id < 0 else id

    @property
    def kernels(self) -> str:
        """Which set of kernels this machine runs: scalar, avx2, avx512 or neon."""
        with self._lock:
            name: bytes = self._library.nw_kernels(self._open_handle())
        return name.decode()

    def copy_page(self, source: int, target: int) -> None:
        """Copy a page's keys and values, which forks a sequence at that page."""
        with self._lock:
            failed = self._library.nw_copy_page(self._open_handle(), source, target)
        self._check_page(failed, source, target)

    def read_page(self, page: int) -> bytes:
        """A page's keys and values as bytes, to be kept elsewhere."""
        out = ctypes.create_string_buffer(self.information.page_bytes)
        with self._lock:
            failed = self._library.nw_read_page(self._open_handle(), page, out)
        self._check_page(failed, page)
        return out.raw

    def write_page(self, page: int, content: bytes) -> None:
        """Put back what `read_page` gave, into this page or another."""
        if len(content) != self.information.page_bytes:
            raise BadInput(f"a page of {len(content)} bytes, expected {self.information.page_bytes}")
        with self._lock:
            failed = self._library.nw_write_page(self._open_handle(), page, content)
        self._check_page(failed, page)

    def _check_page(self, failed: int, *pages: int) -> None:
        if failed:
            raise BadInput(f"page {pages} is outside the pool of {self.pages}", where=self.path)

    def _open_handle(self) -> int:
        if not self._handle:
            raise Failure("the model has been closed", where=self.path, do="open it again")
        return self._handle


def _integers(values: Sequence[int] | NDArray[np.integer]) -> NDArray[np.int32]:
    wide = np.asarray(list(values) if isinstance(values, range) else values, dtype=np.int64).reshape(-1)
    if wide.size and (wide.min() < -(2**31) or wide.max() >= 2**31):
        raise BadInput("an id or position does not fit 32 bits")
    return np.ascontiguousarray(wide, dtype=np.int32)


def _copied(call: Any) -> bytes | None:
    """Text from a C function that says how long it is and fills what room it is given."""
    size = call(None, 0)
    if size < 0:
        return None
    out = ctypes.create_string_buffer(max(size, 1))
    call(out, size)
    return out.raw[:size]
