"""Connections that pass the gate and can be cut: what every fetch of ours goes through.

A timeout between two bytes is no deadline: a server that sends one byte now and then passes every one of
them. So there is an alarm beside the reader, which cuts the connection in use when its time is up.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from nextword.common.outbound import Gate

TICK = 0.05
"""Seconds between two looks at the clock."""


class Attempt:
    """One attempt's deadline, and the connection that is cut when it passes."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.connection: socket.socket | None = None
        self.has_rung = False

    def ring(self) -> None:
        """Cut the connection: whoever waits for it gets an error."""
        self.has_rung = True
        if self.connection is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.connection, socket.SHUT_RDWR)


class Alarm:
    """Cuts the connection in use when its time is up, whatever the reader is waiting for.

    One thread looks at the attempt under way every TICK. The reader shares no lock with it (a timer of the
    standard library has some): a Ctrl-C inside one leaves it locked, and the way out would wait for ever.
    """

    def __init__(self) -> None:
        self.attempt: Attempt | None = None
        self._watcher: threading.Thread | None = None

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[Attempt]:
        """A block that may take so long, or longer where it puts `until` off; TimeoutError otherwise."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=_watch, args=(weakref.ref(self),), daemon=True)
            self._watcher.start()
        attempt = self.attempt = Attempt(seconds)
        try:
            yield attempt
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            if attempt.has_rung:
                raise TimeoutError(f"no whole answer within {seconds:g} s") from error
            raise
        finally:
            self.attempt = None
        if attempt.has_rung:  # a body without a length looks whole when it is cut
            raise TimeoutError(f"no whole answer within {seconds:g} s")

    def using(self, connection: socket.socket | None) -> None:
        """Tell which connection the attempt under way reads from."""
        if self.attempt is not None:
            self.attempt.connection = connection


def _watch(alarm_of: weakref.ref[Alarm]) -> None:
    """Ring each attempt whose time is up, until the alarm is no more."""
    while (alarm := alarm_of()) is not None:
        attempt = alarm.attempt
        if attempt is not None and time.monotonic() >= attempt.until:
            attempt.ring()
        del alarm
        time.sleep(TICK)


def guarded_pool(gate: Gate, alarm: Alarm) -> urllib3.PoolManager:
    """A connection pool whose every connection is made by the gate and known to the alarm."""

    class Guarded(HTTPConnection):
        raw: socket.socket | None = None

        def _new_conn(self) -> socket.socket:
            timeout = self.timeout if isinstance(self.timeout, (int, float)) else 20.0
            self.raw = gate.connect(self._dns_host.strip("[]"), self.port, timeout)
            alarm.using(self.raw)
            return self.raw

        def request(self, *args: Any, **options: Any) -> None:
            alarm.using(self.raw)  # a connection used again
            super().request(*args, **options)

    class GuardedTLS(Guarded, HTTPSConnection):
        pass

    class Plain(urllib3.HTTPConnectionPool):
        ConnectionCls = Guarded

    class TLS(urllib3.HTTPSConnectionPool):
        ConnectionCls = GuardedTLS

    pool = urllib3.PoolManager(num_pools=8, maxsize=1)
    pool.pool_classes_by_scheme = {"http": Plain, "https": TLS}
    return pool
