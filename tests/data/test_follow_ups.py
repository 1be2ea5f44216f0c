"""What else is asked of a page in sight."""

from __future__ import annotations

import pytest

from nextword.common.records import Conversation, Message
from nextword.data.follow_ups import FollowUps, tells
from nextword.data.questions import Question

PAGE = "oven\nbake(dough, minutes=30)\n    Bake the dough.\n\nclass Tin(size)\n    A tin to bake in."
URL = "http://docs.test/oven"


def question(name: str, type: str, gold: str, lang: str = "en", url: str = URL) -> Question:
    id = f"oven.{name}:{type}:{lang}"
    return Question(id, type, lang, f"{type} of {name}?", f'"{gold}" it is.', [gold], url, f"oven.{name}", "")


BAKE = question("bake", "signature", "bake(dough, minutes=30)")
TOLD = [
    BAKE,
    question("bake", "description", "Bake the dough."),
    question("bake", "default", "minutes=30"),
    question("Tin", "description", "A tin to bake in."),
    question("Tin", "signature", "Tin(size)"),
]
OTHER = [
    question("bake", "description", "Bake the dough.", lang="ko"),
    question("bake", "module", "oven", url="http://docs.test/kiln"),
    question("fry", "description", "Fry it."),
    question("tin", "module", "oven"),
]
FIRST = Conversation(
    [Message("user", BAKE.text), Message("tool", PAGE, name="search"), Message("assistant", BAKE.answer)],
    meta={"question": BAKE.id, "lang": "en", "form": "searched"},
)


def test_what_the_page_tells_is_asked_once_each_in_the_language_of_the_first_question():
    found = FollowUps([*OTHER, *TOLD], most=9).after(FIRST, URL)
    assert found.messages[:3] == FIRST.messages
    turns = [
        (str(asked.content), str(answer.content))
        for asked, answer in zip(found.messages[3::2], found.messages[4::2], strict=True)
    ]
    assert sorted(turns) == sorted((one.text, one.answer) for one in TOLD[1:])
    assert found.meta == {
        **FIRST.meta,
        "further": [next(one.id for one in TOLD if one.text == text) for text, _ in turns],
    }


@pytest.mark.parametrize("most", [0, 1, 3])
def test_at_most_so_many_of_different_types_first_and_the_same_ones_again(most):
    found = FollowUps(TOLD, most).after(FIRST, URL)
    assert len(found.messages) == 3 + 2 * most and found == FollowUps(TOLD[::-1], most).after(FIRST, URL)
    types = [id.split(":")[1] for id in found.meta.get("further", ())]
    assert len(set(types)) == len(types)


def test_what_the_title_or_a_heading_answers_is_asked_after_the_rest():
    easy = [question("Tin", "module", "oven"), question("Tin", "kind", "class Tin(size)")]
    found = FollowUps([*easy, *TOLD], 4).after(FIRST, URL)
    types = [id.split(":")[1] for id in found.meta["further"]]
    assert {"default", "description", "signature"} < set(types) and len(set(types) & {"module", "kind"}) == 1


def test_without_a_page_nothing_is_asked():
    closed = Conversation([FIRST.messages[0], FIRST.messages[-1]], meta=FIRST.meta)
    assert FollowUps(TOLD).after(closed, URL) == closed
    assert FollowUps(TOLD).after(FIRST, "http://docs.test/none") == FIRST


def test_an_entry_must_stand_on_the_page_unless_the_question_is_about_a_sentence():
    assert tells(PAGE, TOLD[3]) and not tells(PAGE, OTHER[3])
    assert tells(PAGE, question("quote:5", "quote", "Bake the dough."))
    assert not tells("", BAKE)
