"""The words of the pages: every one in both languages, none left over, the same gaps to fill; no browser."""

import json
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[3] / "nextword/studio/static"
WORDS = {lang: json.loads((STATIC / f"{lang}.json").read_text("utf-8")) for lang in ("en", "ko")}
SOURCE = "\n".join(path.read_text("utf-8") for path in sorted(STATIC.rglob("*.js")))
FAMILIES = [
    re.compile(re.sub(r"\\\$\\{.*?\\}", "[^.]+", re.escape(family)))
    for family in re.findall(r"\b(?:t|known)\(`([^`]+)`", SOURCE)
]


def forms(text: str | dict[str, str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values())


def gaps(text: str | dict[str, str]) -> set[str]:
    """The values that a text takes; a form for one thing may leave the number out."""
    return set(re.findall(r"\{(\w+)\}", forms(text)[-1]))


def test_both_languages_say_the_same_things():
    assert WORDS["en"].keys() == WORDS["ko"].keys()


def test_both_languages_leave_the_same_gaps():
    assert [key for key, text in WORDS["en"].items() if gaps(text) != gaps(WORDS["ko"][key])] == []


def test_every_word_that_the_pages_ask_for_is_there():
    asked = set(re.findall(r"\bt\(\s*\"([^\"]+)\"", SOURCE))
    assert asked - WORDS["en"].keys() == set()
    assert len(asked) > 200


def test_no_word_is_left_over():
    assert [
        key
        for key in WORDS["en"]
        if f'"{key}"' not in SOURCE and not any(family.fullmatch(key) for family in FAMILIES)
    ] == []


@pytest.mark.parametrize("lang", WORDS)
def test_numbers_have_the_forms_of_their_language(lang):
    wanted = {"en": {"one", "other"}, "ko": {"other"}}[lang]
    assert {
        key: text for key, text in WORDS[lang].items() if isinstance(text, dict) and set(text) != wanted
    } == {}


def test_korean_is_written_in_korean():
    assert [
        key
        for key, text in WORDS["ko"].items()
        if not any(re.search("[가-힣]", form) for form in forms(text))
    ] == []


def test_nothing_becomes_markup_and_nothing_is_loaded_from_elsewhere():
    assert (
        re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?://(?!www\.w3\.org)[a-z]",
            SOURCE,
        )
        == []
    )
