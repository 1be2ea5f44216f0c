"""How free answers are read: the last number, the target, a span in Korean."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nextword.evaluate.local_tasks.bbh import is_target
from nextword.evaluate.local_tasks.gsm8k import final_number, is_same_number
from nextword.evaluate.local_tasks.korquad import exact, f1, level


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### 18", 18),
        ("She makes $1,080 a day.", 1080),
        ("5 + 3 = 8. #### 8\nQuestion: 12 apples?", 8),
        ("It is -3.5 degrees", "-3.5"),
        ("first 4, then 7.", 7),
        ("12,34", 34),
        ("none at all", None),
        ("", None),
        ("#### none, or 7", 7),
    ],
)
def test_the_final_number_is_found(text, number):
    assert final_number(text) == (None if number is None else Decimal(number))


@given(some.integers(-(10**9), 10**9), some.sampled_from(["{:,}", "{}", "${:,}", "{}.0", "**{}**"]))
def test_a_number_is_the_same_however_it_is_written(number, form):
    assert is_same_number("so the answer is " + form.format(number) + ".", [str(number)]) == 1.0


@given(some.text())
def test_any_answer_can_be_read_for_a_number(text):
    final_number(text)


@pytest.mark.parametrize(
    ("answer", "target", "right"),
    [
        ("(B)", "(B)", True),
        ("B)", "(B)", True),
        ("b)", "(B)", True),
        ("True.", "True", True),
        ("We simplify it. So the answer is (C).", "(C)", True),
        ("The answer is: 24.\nQ: next", "24", True),
        ("(A) because", "(A)", False),
        ("valid", "invalid", False),
        ("", "(A)", False),
        ("] >", "] >", True),
        ("the answer is yes. No, the answer is no.", "no", True),
    ],
)
def test_bbh_compares_what_counts_of_an_answer(answer, target, right):
    assert is_target(answer, [target]) == right


def test_korquad_levels_marks_punctuation_case_and_spaces():
    assert level("「A」, 《해리  포터》!") == "「a」 해리 포터"
    assert exact("<해리 포터>", ["해리 포터"]) == 1.0
    assert exact("해리포터", ["해리 포터"]) == 0.0


def test_korquad_f1_counts_syllables():
    assert f1("임종석은", ["임종석"]) == pytest.approx(2 * 3 / (4 + 3))
    assert f1("해리포터", ["해리 포터"]) == 1.0
    assert f1("다른 말", ["임종석"]) == 0.0
    assert f1("", ["임종석"]) == 0.0


def test_korquad_takes_the_nearest_of_the_accepted_answers():
    assert f1("1989년", ["2월", "1989년 2월"]) == pytest.approx(2 * 5 / (5 + 7))
    assert exact("2월", ["1989년", "2월"]) == 1.0


def test_korquad_reads_a_quotation():
    assert exact('"1989년"이라고 되어 있습니다.', ["1989년"]) == 1.0


@given(some.text(), some.text(min_size=1))
def test_f1_is_a_share_and_one_for_the_same(answer, gold):
    assert 0.0 <= f1(answer, [gold]) <= 1.0
    if level(gold):
        assert f1(level(gold), [gold]) == 1.0
