"""Secrets that travel in a cookie or a link: given out once, kept only as their SHA-256.

They have 256 random bits, so a plain hash is enough: what cannot be guessed needs no slow one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

Mint = Callable[[], str]
"""Makes a new secret; passed in, so that tests can know it."""


def mint() -> str:
    """A new secret of 43 characters that a link can carry."""
    return secrets.token_urlsafe(32)


def kept(token: str) -> str:
    """What the database keeps of a secret."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
