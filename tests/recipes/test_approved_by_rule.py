"""Proposals that a rule approves, at the desk, saying so."""

import pytest

from nextword.common.dialogue import read_conversations
from nextword.common.errors import BadInput
from nextword.common.records import read_records
from nextword.data.propose import ProposeSettings
from nextword.recipes.approved_by_rule import approved_by_rule, is_verbatim

PAGE = """# 도서관 이용 안내

## 대출 카드

대출 카드는 책을 빌릴 때 신분을 확인하는 플라스틱 카드입니다. 잃어버리면 알려 주세요.

## 기간

대출 기간은 14일입니다.
"""
SHOWN = "도서관\n대출 기간은 14일입니다. 연체료는 100원입니다."


def judged(question: str, answer: str, shown: str = SHOWN) -> float:
    prompt = [{"role": "user", "content": question}, {"role": "tool", "content": shown}]
    return is_verbatim(prompt, [{"role": "assistant", "content": answer}])


def test_what_is_approved_says_that_a_rule_did_it(tmp_path):
    (tmp_path / "a.md").write_text(PAGE)
    made = approved_by_rule(ProposeSettings(), tmp_path / "a.md", tmp_path / "out")
    rows = list(read_conversations(tmp_path / "out" / "approved.jsonl"))
    assert made["approved"] == made["proposals"] == len(rows) == 2
    assert all(row.meta["labelled"]["by"][0]["machine"] == "rule:verbatim" for row in rows)
    proposed = [record["messages"] for record in read_records(tmp_path / "out" / "proposals.jsonl")]
    assert [record["messages"] for record in read_records(tmp_path / "out" / "approved.jsonl")] == proposed


@pytest.mark.parametrize(
    ("question", "answer", "is_good"),
    [
        ("대출 기간은 얼마나 되나요?", '"대출 기간은 14일입니다." (도서관)', True),
        ("대출 기간은 얼마나 되나요?", '"대출 기간은 15일입니다." (도서관)', False),
        ("대출 기간은 얼마나 되나요?", "14일입니다.", False),
        ("수영장 이용 요금은 어떻게 되나요?", '"대출 기간은 14일입니다." (도서관)', False),
        ("대출 기간은 14일입니다. 맞나요?", '"대출 기간은 14일입니다." (도서관)', False),
    ],
)
def test_only_a_quotation_of_the_page_that_says_more_than_the_question_is_approved(question, answer, is_good):
    assert judged(question, answer) == is_good


def test_a_quotation_longer_than_a_sentence_is_left_to_people():
    long = "책 " * 200 + "끝."
    assert judged("책 끝?", f'"{long}"', f"도서관\n{long}") == 0.0


def test_documents_with_nothing_to_ask_about_are_an_error(tmp_path):
    (tmp_path / "a.txt").write_text("nothing")
    with pytest.raises(BadInput, match="nothing to ask about"):
        approved_by_rule(ProposeSettings(), tmp_path / "a.txt", tmp_path / "out")
