"""How a released model was taught to answer, as the folders of its stages tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextword.common.files import read_json

ORDER = ("finetuned", "aligned", "current")
"""The stages' folders in a run, each of which begins from the one before."""


@dataclass(frozen=True)
class Lesson:
    """One stage: its name, the data it learnt from, and how it ended, in a few words."""

    name: str
    data: str
    told: str


def read_lessons(checkpoint: Path, run: Path | None) -> tuple[Lesson, ...]:
    """The stages that led to a checkpoint of a run; () for a base model or one without its run."""
    if run is None:
        return ()
    own = [name for name in ORDER if checkpoint.absolute().is_relative_to((run / name).absolute())]
    last = ORDER.index(own[0]) + 1 if own else 0
    return tuple(lesson for name in ORDER[:last] for lesson in _lesson(run / name))


def _lesson(folder: Path) -> Iterator[Lesson]:
    began, ended = table(folder / "run.json"), table(folder / "result.json")
    if not ended:
        return
    data = began.get("data") or began.get("comparisons") or ()
    files = ", ".join(Path(str(path)).name for path in data) if isinstance(data, list) else str(data)
    yield Lesson(folder.name, files or "not recorded", "; ".join(_facts(began, ended)))


def _facts(began: Mapping[str, Any], ended: Mapping[str, Any]) -> Iterator[str]:
    if "conversations" in ended:
        yield f"{ended['conversations']:,} conversations, {ended['epochs']:.1f} times"
    if "method" in ended:
        learnt_from = "records" if "records" in ended else "prompts"
        yield f"{ended['method']}, {ended[learnt_from]:,} {learnt_from}"
    for name, word, form in (
        ("heldout_after", "held-out loss", ".3f"),
        ("accuracy", "held-out pairs right", ".0%"),
        ("kl", "nats an answer from the model before", ".2f"),
    ):
        if isinstance(value := ended.get(name), (int, float)):
            yield f"{word} {value:{form}}"


def table(path: Path) -> Mapping[str, Any]:
    """A JSON file's object; {} where there is no such file, or something else in it."""
    value = read_json(path) if path.exists() else {}
    return value if isinstance(value, dict) else {}
