"""Why the desk says no, so that a web page can answer each with the right status, in the reader's language.

    BadInput                  what was given is unusable                                     400
    └── Refused               the same with a code, which a page translates, and its facts
        ├── Unusable          an answer, a name, a password that cannot be taken             400
        ├── NotSignedIn       name, password, session or invitation does not hold            401
        ├── NotAllowed        this person's role may not do this                             403
        │   └── NotQualified  the quiz on the guide comes first                              403
        ├── NoSuch            no such person, project or task (or not theirs to see)         404
        ├── Conflict          somebody, or another tab, was faster                           409
        └── TooMany           too many tries; `seconds` until the next one                   429

The numbers are HTTP's, for the pages (studio/); nothing here knows HTTP. Each class has a code of its own;
where a reader can do something particular about it, the refusal has a narrower one ("taken", "name_taken").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nextword.common.errors import BadInput


class Refused(BadInput):
    """A refusal with its code, and the numbers and names that a translation of it needs."""

    code = "unusable"

    def __init__(
        self, what: str, *, do: str | None = None, code: str = "", facts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(what, do=do)
        self.code = code or type(self).code
        self.facts = dict(facts or {})


class Unusable(Refused):
    """What was given cannot be taken as it is."""


class NotSignedIn(Refused):
    """A name, password, session or invitation that does not hold (which of them is not said)."""

    code = "not_signed_in"


class NotAllowed(Refused):
    """The person's role does not allow this."""

    code = "not_allowed"


class NotQualified(NotAllowed):
    """The person has not passed the quiz on the guide yet."""

    code = "not_qualified"


class NoSuch(Refused):
    """There is no such thing, or it is not this person's to see."""

    code = "no_such"


class Conflict(Refused):
    """Somebody else, or another tab of the same person, was faster."""

    code = "conflict"


class TooMany(Refused):
    """Too many tries in too short a time."""

    code = "too_many"

    def __init__(self, what: str, seconds: float) -> None:
        self.seconds = max(1, round(seconds))
        super().__init__(what, do=f"try again in {self.seconds} seconds", facts={"seconds": self.seconds})
