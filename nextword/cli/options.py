"""A stage's settings become a verb's options: name, type, default and help all come from the dataclass.

    @verb(CollectSettings)
    def run(settings: CollectSettings, out: Annotated[Path, typer.Option(help="...")] = Path("runs/x")): ...

gives `--source TEXT --max-pages N ... --out PATH --config FILE`. What the command line leaves out comes from
the TOML file's table of the same name as the verb, and then from the dataclass. A verb of a verb has a table
in a table: `nextword label init` reads [label.init].
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import typer

from nextword.common.settings import from_toml


def verb(settings: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate `run(settings, ...)` so that typer sees one option for each field of `settings`."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        section = _section(function)
        own = [p for name, p in _signature(function).items() if name != "settings"]
        fields = dataclasses.fields(settings)

        @functools.wraps(function)
        def run(**values: Any) -> None:
            config: Path | None = values.pop("config")
            chosen = from_toml(settings, config, section) if config else {}
            for field in fields:
                given = values.pop(field.name)
                if given is not None and given != ():
                    chosen[field.name] = tuple(given) if isinstance(given, list) else given
            function(settings=settings(**chosen), **values)

        options = [*own, *(_option(field, get_type_hints(settings)[field.name]) for field in fields), _CONFIG]
        run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
        run.__annotations__ = {option.name: option.annotation for option in options}
        run.settings = settings  # type: ignore[attr-defined]
        return run

    return decorate


def spelled_out(function: Any, argv: list[str]) -> list[str]:
    """A verb's words, with its value after each option that may stand alone: `--lora` means `--lora 16`."""
    alone = {
        f"--{field.name.replace('_', '-')}": str(field.metadata["bare"])
        for field in dataclasses.fields(getattr(function, "settings", _None))
        if "bare" in field.metadata
    }
    words = []
    for word, after in itertools.zip_longest(argv, argv[1:], fillvalue=""):
        words.append(word)
        if word in alone and not after.lstrip("+-").isdecimal():
            words.append(alone[word])
    return words


@dataclasses.dataclass
class _None:
    """The settings of a verb that has none."""


def _section(function: Callable[..., None]) -> str:
    """The name of its table: the module is the verb, and a function that is not its `run` a verb of it."""
    module = function.__module__.rsplit(".", 1)[-1]
    return module if function.__name__ == "run" else f"{module}.{function.__name__}"


def _signature(function: Callable[..., None]) -> dict[str, inspect.Parameter]:
    hints = get_type_hints(function, include_extras=True)
    return {
        name: parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(function).parameters.items()
    }


def _option(field: dataclasses.Field[Any], hint: Any) -> inspect.Parameter:
    """One keyword parameter: None means that the command line said nothing."""
    kind = hint
    if get_origin(hint) in (Union, UnionType):
        kind = next(one for one in get_args(hint) if one is not type(None))
    if get_origin(kind) is tuple:
        kind = list[get_args(kind)[0]]  # type: ignore[misc]
    default = ", ".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    shown = field.metadata.get("usual") or ("none" if default is None or default == "" else default)
    help = f"{field.metadata.get('help', '')} [default: {shown}]"
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=typer.Option(None, help=help, show_default=False),
        annotation=kind | None,
    )


_CONFIG = inspect.Parameter(
    "config",
    inspect.Parameter.KEYWORD_ONLY,
    default=typer.Option(None, help="a TOML file with a table for this verb", show_default=False),
    annotation=Path | None,
)
