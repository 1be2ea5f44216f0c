"""A stage's settings: one frozen dataclass whose fields carry their own help.

    @dataclass(frozen=True)
    class CollectSettings:
        source: str = option("python-docs", "what to read: python-docs, a folder, an address or a file")

The command line, the TOML file (`--config`) and docs/settings.md are all made from these fields.
"""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from nextword.common.errors import BadInput

S = TypeVar("S")


def option(default: Any, help: str) -> Any:
    """A settings field with its default and one line of help."""
    if isinstance(default, (list, dict)):
        raise TypeError("settings are frozen: use a tuple")
    return dataclasses.field(default=default, metadata={"help": help})


def from_toml(settings: type[S], path: Path, section: str) -> dict[str, Any]:
    """The values a TOML file gives for one stage; BadInput for a name or a type that does not fit."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput("no such file", where=path) from error
    except (OSError, ValueError) as error:
        raise BadInput(f"not readable TOML ({error})", where=path) from error
    values: dict[str, Any] = tables.get(section, {})
    types = get_type_hints(settings)
    for name, value in values.items():
        if name not in types:
            known = ", ".join(sorted(types))
            raise BadInput(f"[{section}] has no setting `{name}`", where=path, do=f"choose from {known}")
        values[name] = _as_type(value, types[name], f"{path} [{section}] {name}")
    return values


def _as_type(value: Any, wanted: Any, where: str) -> Any:
    accepted = [
        getattr(kind, "__origin__", kind) for kind in (get_args(wanted) if "|" in str(wanted) else (wanted,))
    ]
    if isinstance(value, list) and tuple in accepted:
        return tuple(value)
    if isinstance(value, str) and Path in accepted:
        return Path(value)
    if isinstance(value, int) and not isinstance(value, bool) and float in accepted:
        return float(value)
    if not any(isinstance(kind, type) and type(value) is kind for kind in accepted):
        raise BadInput(f"{value!r} is not a {wanted}", where=where)
    return value
