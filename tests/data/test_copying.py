"""Rows that teach copying: what is to be said stands in what was shown."""

import random

import pytest

from nextword.data.copying import LONGEST, TASKS, Sources, copying_rows, lines_of

LINES = [f"Line number {number} of a page, worth copying." for number in range(30)]


def rows(count=240, seed=1):
    return list(copying_rows(Sources({"en": LINES}), count, random.Random(seed)))


def test_every_task_comes_in_both_languages_equally_often():
    kinds = [(row.meta["type"], row.meta["lang"]) for row in rows(48)]
    assert len(set(kinds)) == 2 * len(TASKS) and all(kinds.count(kind) == 4 for kind in set(kinds))


def test_what_is_to_be_said_was_shown_letter_for_letter():
    for row in rows():
        shown = "\n".join(message.content for message in row.messages[:-1])
        assert row.messages[-1].content.strip('"') in shown


def test_a_language_without_lines_is_made_of_random_ones():
    made = {(row.meta["lang"], row.meta["of"]) for row in rows()}
    assert made == {("en", "pages"), ("en", "random"), ("ko", "random")}


def test_a_seed_gives_the_same_rows_and_another_seed_others():
    assert rows() == rows() != rows(seed=2)


@pytest.mark.parametrize("line", ["short", "x" * (LONGEST + 1), 'it says "no" to us all', "-" * 30])
def test_lines_not_worth_copying_are_left_out(line):
    assert lines_of([f"{LINES[0]}\n{line}\n{LINES[0]}"]) == [LINES[0]]
