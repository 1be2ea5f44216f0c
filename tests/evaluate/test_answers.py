"""Right or wrong by machine: what counts as the same answer, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.data.questions import Question
from nextword.evaluate.answers import claimed, is_right, token_f1, tokens


def question(type, *gold, function="json.dumps"):
    return Question("id", type, "en", "?", "", list(gold), "", function, "")


DEFAULT = question("default", "indent=None", "None")
MODULE = question("module", "heapq", function="heapq.merge")
KIND = question("kind", "Static methods defined here", "static method", function="a.B.make")
DESCRIPTION = question("description", "Return the ``str`` of an object.")
SIGNATURE = question("signature", "dist(p, q, /)")
PARAMETERS = question("parameters", "p, q=1, /", "p, q")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (DEFAULT, '"indent=None", so the default is None.'),
        (DEFAULT, '"indent=None"이라고 되어 있으므로 기본값은 None입니다.'),
        (DEFAULT, "기본값은 None입니다."),
        (DEFAULT, "It is None."),
        (MODULE, "heapq 모듈에 있습니다."),
        (MODULE, '"heapq" 모듈에 있습니다.'),
        (KIND, "정적 메서드입니다."),
        (KIND, "It is a static method."),
        (DESCRIPTION, "return the str of an object."),
        (DESCRIPTION, '"Return the `str` of\tan object."라고 설명되어 있습니다.'),
        (SIGNATURE, '"dist(p,q,/)" 형식으로 호출합니다.'),
        (PARAMETERS, '"p, q=1, /" 순서로 인자를 받습니다.'),
        (PARAMETERS, "p와 q를 받습니다."),
    ],
)
def test_what_the_page_says_is_right_in_whatever_form(asked, answer):
    assert is_right(asked, answer)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (DEFAULT, "It is none."),
        (DEFAULT, "It is None or True."),
        (DEFAULT, "기본값은 NoneType입니다."),
        (DEFAULT, ""),
        (MODULE, "heapqueue 모듈에 있습니다."),
        (MODULE, "heapq or json.tool has it."),
        (KIND, "It is a method."),
        (KIND, "It is a static method, a class or a function."),
        (DESCRIPTION, "Return the object."),
        (DESCRIPTION, "Return the str of an object. " + "And more is said of it, too. " * 4),
        (SIGNATURE, '"dist(q, p, /)"'),
        (PARAMETERS, '"q, p"'),
    ],
)
def test_what_the_page_does_not_say_is_wrong(asked, answer):
    assert not is_right(asked, answer)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [('"a b" is it', "a b"), ("“a” or “b”", "a"), ("「가」입니다", "가"), (" plain ", "plain"), ('"', '"')],
)
def test_a_quotation_is_the_claim_and_without_one_all_is(answer, wanted):
    assert claimed(answer) == wanted


def test_f1_counts_shared_words_of_the_nearest_accepted_answer():
    assert token_f1("the red box", ["a red house", "blue"]) == pytest.approx(0.5)
    assert token_f1("red box", ["Red box!"]) == 1.0 and token_f1("", ["red"]) == 0.0 == token_f1("red", [])


def test_a_korean_particle_costs_a_syllable_not_the_word():
    assert token_f1("기본값은", ["기본값"]) == pytest.approx(6 / 7)


def test_decomposed_hangul_is_the_same():
    assert tokens("\u1100\u1161") == ["가"]


@given(st.text(max_size=40), st.text(max_size=40))
def test_f1_is_a_share_and_does_not_care_for_the_order(one, other):
    assert 0 <= token_f1(one, [other]) <= 1
    assert not tokens(one) or '"' in one or "“" in one or "「" in one or token_f1(one, [one]) == 1
