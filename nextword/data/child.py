"""A Python program of ours in a process of its own, for work that may hang, crash or misbehave.

It runs in its own process group, without a display, and dies with us: its standard input is a pipe whose
other end only we hold, so even after `kill -9` of this process it reads the end and kills its own group.

    with Child("nextword.data.pydoc_server") as child:      # and there:  door = Door()
        port = int(child.line(seconds=20))                  #             door.say("4711")
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Self

from nextword.common.errors import Failure

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "BROWSER", "PYTHONSTARTUP", "PYTHONINSPECT")
QUIET = {
    "PYTHONWARNINGS": "ignore",
    "PYTHONUTF8": "1",
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
}


class Child:
    """The parent's end. Lines go both ways; leaving the block kills the whole group."""

    def __init__(self, module: str, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in SCREENS} | QUIET
        self.name = module.rsplit(".", 1)[-1]
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                module,
                *arguments,
            ],  # -P: the current folder must not shadow modules
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
        )
        self._waiting = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def say(self, line: str) -> None:
        """Send one line. Failure when the child is gone."""
        assert self._process.stdin is not None, "opened with a pipe"
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise Failure(f"{self.name} ended early") from error

    def line(self, seconds: float) -> str:
        """The next line the child says. Failure when it ends, or says nothing in that time."""
        assert self._process.stdout is not None, "opened with a pipe"
        pipe, until = self._process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._waiting:
            ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise Failure(f"{self.name} took over {seconds:g} s")
            piece = os.read(pipe, 1 << 20)
            if not piece:
                raise Failure(f"{self.name} ended early")
            self._waiting += piece
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line.decode("utf-8", "replace")

    def kill(self) -> None:
        """End the child and whatever it started; harmless when repeated."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Door:
    """The child's end. Takes standard input and output for itself: no imported module may talk on them."""

    def __init__(self) -> None:
        self.lines: queue.Queue[str] = queue.Queue()
        self._in, self._out = os.dup(0), os.dup(1)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, line: str) -> None:
        """Send one line to the parent."""
        rest = line.encode("utf-8", "replace") + b"\n"
        while rest:
            rest = rest[os.write(self._out, rest) :]

    def _listen(self) -> None:
        with os.fdopen(self._in, "rb") as pipe:
            for line in pipe:
                self.lines.put(line.decode().rstrip("\n"))
        os.killpg(0, signal.SIGKILL)  # the parent is gone
