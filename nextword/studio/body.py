"""What a request may hold: texts that every database can keep, numbers that it can count, no other fields."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

LARGEST = 2**31 - 1


class Body(BaseModel):
    """A JSON body; a field that we do not know is a mistake."""

    model_config = ConfigDict(extra="forbid")


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds a character that is none")
    return text


Word = Annotated[str, StringConstraints(max_length=200), AfterValidator(_storable)]
"""A name, a code, a short choice."""
Prose = Annotated[str, AfterValidator(_storable)]
"""A text of any length that fits into a body."""
Number = Annotated[int, Path(ge=1, le=LARGEST)]
"""A row's number in a path."""
After = Annotated[int, Query(ge=0, le=LARGEST)]
Limit = Annotated[int, Query(ge=1, le=500)]
Words = Annotated[list[Word] | None, Query(max_length=10)]
Answer = dict[str, Any]
"""An answer or a draft: its shape belongs to the task's kind (label/kinds.py), which checks it."""
