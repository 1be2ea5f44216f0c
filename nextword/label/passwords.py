"""Passwords, kept as Argon2id hashes (RFC 9106; the library's defaults: 64 MiB, 3 passes, 4 lanes).

A name that does not exist costs as much as a wrong password, so that the time of the answer tells nothing.
Tests pass a cheap hasher.
"""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from nextword.label.refusals import Unusable

SHORTEST, LONGEST = 10, 1024


class Passwords:
    """Hashing and checking with one set of costs."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self.hasher = hasher or PasswordHasher()
        self._nobody = self.hasher.hash("nobody has this password")

    def hash(self, password: str, name: str) -> str:
        """The hash to keep; Unusable for a password that is too short, too long or the name itself."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise Unusable(
                f"a password has {SHORTEST} to {LONGEST} characters",
                do="choose another",
                code="password_length",
                facts={"least": SHORTEST, "most": LONGEST},
            )
        if password.casefold() == name.casefold():
            raise Unusable("the password is the name", do="choose another", code="password_is_name")
        return self.hasher.hash(password)

    def fits(self, kept: str | None, password: str) -> bool:
        """Whether the password is the one whose hash was kept. None: nobody, which takes just as long."""
        try:
            self.hasher.verify(kept or self._nobody, password[:LONGEST])
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False
        return kept is not None

    def is_stale(self, kept: str) -> bool:
        """Whether the hash was made with other costs than today's."""
        return self.hasher.check_needs_rehash(kept)
