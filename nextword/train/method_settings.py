"""Settings that only some methods of a stage read.

One dataclass serves all methods of a stage, so that what they have in common stands once. Beside it the stage
lists which methods read what is not in common; a value that nobody would read is refused, never ignored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from nextword.common.errors import BadInput


def check_read(settings: Any, readers: Mapping[str, tuple[str, ...]]) -> None:
    """BadInput for a setting that was changed though `settings.method` does not read it.

    readers: of each setting that not all methods read, those that do.
    """
    usual = {field.name: field.default for field in dataclasses.fields(settings)}
    for name, methods in readers.items():
        if settings.method not in methods and getattr(settings, name) != usual[name]:
            do = f"leave it out, or choose {' or '.join(methods)}"
            raise BadInput(f"{settings.method} has no setting {name}", do=do)
