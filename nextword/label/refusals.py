"""Why the desk says no, so that a web page can answer each with the right status.

    BadInput                  what was given is unusable                                     400
    ├── NotSignedIn           name, password, session or invitation does not hold            401
    ├── NotAllowed            this person's role may not do this                             403
    │   └── NotQualified      the quiz on the guide comes first                              403
    ├── NoSuch                no such person, project or task (or not theirs to see)         404
    ├── Conflict              somebody, or another tab, was faster                           409
    └── TooMany               too many tries; `seconds` until the next one                   429

The numbers are HTTP's, for the colleague who writes the pages; nothing here knows HTTP.
"""

from __future__ import annotations

from nextword.common.errors import BadInput


class NotSignedIn(BadInput):
    """A name, password, session or invitation that does not hold (which of them is not said)."""


class NotAllowed(BadInput):
    """The person's role does not allow this."""


class NotQualified(NotAllowed):
    """The person has not passed the quiz on the guide yet."""


class NoSuch(BadInput):
    """There is no such thing, or it is not this person's to see."""


class Conflict(BadInput):
    """Somebody else, or another tab of the same person, was faster."""


class TooMany(BadInput):
    """Too many tries in too short a time."""

    def __init__(self, what: str, seconds: float) -> None:
        self.seconds = max(1, round(seconds))
        super().__init__(what, do=f"try again in {self.seconds} seconds")
