"""Bytes written as printable characters, as GPT-2 does in its vocabulary files (Radford et al. 2019).

A `tokenizer.json` can hold only text, but a token may be any bytes, half a Korean syllable for one. So each
of the 256 bytes has a character: printable Latin-1 stands for itself, the others for U+0100 and up (a space
becomes "Ġ").
"""

from __future__ import annotations


def _alphabet() -> dict[int, str]:
    itself = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in itself]
    return {
        **{byte: chr(byte) for byte in itself},
        **{byte: chr(256 + n) for n, byte in enumerate(others)},
    }


ALPHABET = _alphabet()
"""The character of each byte."""

_BYTES = {character: byte for byte, character in ALPHABET.items()}


def to_bytes(token: str) -> bytes:
    """The bytes that a vocabulary entry stands for; KeyError for a character outside the alphabet."""
    return bytes(_BYTES[character] for character in token)


def from_bytes(token: bytes) -> str:
    """The vocabulary entry of some bytes."""
    return "".join(ALPHABET[byte] for byte in token)
