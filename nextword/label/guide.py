"""Where a guide comes from: the package's own, in English and Korean, or the reader's own files.

The package's guide lies with its other pages (data/own), because it is text to train on too; the short quiz
on it is here. Files of one's own say their language by their name: guide.md is English, guide.ko.md Korean.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import read_json
from nextword.label.project import Question

HERE = Path(__file__).parent
LANGUAGES = ("en", "ko")


def own_guide() -> dict[str, str]:
    """The package's guide, by language."""
    own = HERE.parent / "data" / "own"
    return {lang: _text(own / f"guide.{lang}.md") for lang in LANGUAGES}


def own_quiz() -> tuple[Question, ...]:
    """The quiz on the package's guide."""
    return read_quiz(HERE / "quiz.json")


def read_guide(paths: Sequence[Path]) -> dict[str, str]:
    """A guide from Markdown files; BadInput when two are in the same language."""
    texts: dict[str, str] = {}
    for path in paths:
        ending = path.name.split(".")[-2] if path.name.count(".") > 1 else ""
        lang = ending if len(ending) == 2 else "en"
        if lang in texts:
            raise BadInput(f"a second guide in {lang}", where=path, do="name it guide.LANGUAGE.md")
        texts[lang] = _text(path)
    return texts


def read_quiz(path: Path) -> tuple[Question, ...]:
    """A quiz from JSON: a list of {"text", "choices", "right", "why"}, words as text or by language."""
    found = read_json(path)
    if not isinstance(found, list):
        raise Corrupt("a quiz is a list of questions", where=path)
    return tuple(_question(each, path) for each in found)


def _question(given: Any, path: Path) -> Question:
    try:
        choices = tuple(_words(choice) for choice in given["choices"])
        return Question(_words(given["text"]), choices, int(given["right"]), _words(given.get("why") or ""))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Corrupt(f"not a quiz question ({error!r})", where=path) from error


def _words(given: Any) -> dict[str, str]:
    """Words by language; a plain text is the same in all."""
    if isinstance(given, str):
        return {"en": given}
    return {str(lang): str(text) for lang, text in given.items()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadInput("no such file", where=path) from error
    except (OSError, ValueError) as error:
        raise BadInput(f"not readable text ({error})", where=path) from error
