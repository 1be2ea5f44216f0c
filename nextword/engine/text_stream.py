"""Text as tokens come: whole characters only, and nothing that might turn out to be a stop string.

Two things are held back. A character's first bytes wait for its last (a token may end inside one). And the
longest tail that could be the beginning of a stop string waits until it is one, and is dropped, or is not,
and is said. Where tokens begin and end makes no difference to what is said in the end: the text stops before
the stop string that is complete first (the longest, if several end together).
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """The text of one continuation. `is_stopped` once a stop string has been met; nothing is said after."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self.stops = [stop for stop in stops if stop]
        self.is_stopped = False
        self._held = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, piece: bytes) -> str:
        """What has become certain with these bytes, perhaps ""."""
        return self._say(self._decoder.decode(piece))

    def finish(self) -> str:
        """What was held back, now that nothing more comes; half a character becomes U+FFFD."""
        said = self._say(self._decoder.decode(b"", final=True))
        said, self._held = said + self._held, ""
        return said

    def _say(self, text: str) -> str:
        if self.is_stopped:
            return ""
        text = self._held + text
        found = [(at + len(stop), at) for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            self.is_stopped, self._held = True, ""
            return text[: min(found)[1]]
        certain = len(text) - self._doubtful(text)
        self._held = text[certain:]
        return text[:certain]

    def _doubtful(self, text: str) -> int:
        """The length of the longest tail that begins a stop string."""
        longest = max((len(stop) - 1 for stop in self.stops), default=0)
        for size in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self.stops):
                return size
        return 0
