"""Reading practice: each question points at one sentence of what is shown, and is answered by it."""

import random

import pytest

from nextword.common.records import Document
from nextword.data.reading import FORM, phrases_of, reading_rows

PAGES = [
    Document.of(
        "# Library\n\nSeats are booked at the terminal upstairs. The terminal needs your loan card.\n\n"
        "Lost books must be paid for at the desk. See below.\n",
        "file:///library", title="Library",
    ),
    Document.of(
        "# 도서관\n\n열람실 좌석은 2층 단말기에서 예약합니다. 잃어버린 책은 안내 창구에서 변상합니다.\n",
        "file:///도서관", title="도서관",
    ),
]  # fmt: skip
HELD = "Lost books must be paid for at the desk."


def rows(count=100, held=frozenset(), seed=0):
    return list(reading_rows(PAGES, held, count, 450, random.Random(seed)))


def test_every_sentence_that_stands_alone_is_asked_for_once():
    made = rows()
    quotes = sorted(str(row.messages[-1].content).split('"')[1] for row in made)
    assert quotes == sorted(
        [
            "Seats are booked at the terminal upstairs.",
            "The terminal needs your loan card.",
            HELD,
            "열람실 좌석은 2층 단말기에서 예약합니다.",
            "잃어버린 책은 안내 창구에서 변상합니다.",
        ]
    )
    for row in made:
        _, page, answer = (str(message.content) for message in row.messages)
        assert answer.split('"')[1] in page and page.startswith(answer.split("(")[1].strip(")"))
        assert row.meta["form"] == FORM and row.meta["lang"] in ("en", "ko")


@pytest.mark.parametrize("seed", range(8))
def test_what_is_asked_for_tells_the_sentence_from_the_others(seed):
    for row in rows(seed=seed):
        question, page, answer = (str(message.content) for message in row.messages)
        quote = answer.split('"')[1]
        asked = [phrase for phrase in phrases_of(quote) if phrase in question]
        others = [one for one in page.replace(quote, "\n").split("\n") if one.strip()]
        assert asked and not any(all(phrase in one for phrase in asked) for one in others), (question, page)


def test_held_out_answers_are_not_learnt():
    assert len(rows(held=frozenset({HELD}))) == len(rows()) - 1
    assert not any(HELD in str(row.messages[-1].content) for row in rows(held=frozenset({HELD})))


def test_no_more_are_made_than_asked_for_and_the_seed_decides_which():
    assert len(rows(2)) == 2
    assert rows(3) == rows(3) and rows(3) != rows(3, seed=5)
