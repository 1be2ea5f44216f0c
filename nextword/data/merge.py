"""Several streams, each drawn by a thread of its own, as one: whoever has an item gives it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
AHEAD = 4
"""Items that may wait to be taken: memory stays flat when the taker is slow."""


def merged(streams: Sequence[Iterator[T]], interrupt: Callable[[], None] = lambda: None) -> Iterator[T]:
    """Items of all streams as they come; the first error of any is raised here.

    When this iterator is closed early, `interrupt` is called to cut short what the streams are waiting for,
    and the threads are joined.
    """
    ready: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(maxsize=AHEAD)
    is_over = threading.Event()

    def give(item: tuple[T] | BaseException | None) -> None:
        while not is_over.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def draw(stream: Iterator[T]) -> None:
        try:
            for item in stream:
                give((item,))
                if is_over.is_set():
                    break
            give(None)
        except BaseException as error:
            give(error)

    threads = [threading.Thread(target=draw, args=(stream,), daemon=True) for stream in streams]
    try:
        for thread in threads:
            thread.start()
        open_streams = len(threads)
        while open_streams:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                open_streams -= 1
            else:
                yield item[0]
    finally:
        is_over.set()
        interrupt()
        for thread in threads:
            thread.join()
