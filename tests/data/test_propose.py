"""Proposals: questions that rules or a drafter find in any documents, answered by the page's own words."""

from datetime import UTC, datetime

import pytest

from nextword.common.dialogue import read_conversations
from nextword.common.errors import BadInput
from nextword.data.asking_rules import ask
from nextword.data.heading_rules import how_question
from nextword.data.page_layout import blocks
from nextword.data.propose import KEY, ProposeSettings, propose
from nextword.label.office import Office
from nextword.label.project import ProjectSettings
from nextword.label.rule import RuleLabeller

KOREAN = """# 도서관 이용 안내

## 대출 카드

대출 카드는 책을 빌릴 때 신분을 확인하는 플라스틱 카드입니다. 잃어버리면 알려 주세요.

## 대출 카드 만들기

신청서를 쓰면 대출 카드를 만들 수 있습니다.

## 기간

대출 기간은 14일입니다.

이 문서는 도서관이 만든 안내문입니다.
"""
ENGLISH = """# Handbook

## Loan card

A loan card is the plastic card that tells us who borrows a book. Keep it safe.

## How to renew a book

To renew a book, show your loan card at the desk before it ends.

## Opening

Opening hours: 9 to 18

The loan period is 14 days.
"""


def asked(text, title="page"):
    above, found = None, {}
    for block in blocks(text):
        for each in ask(block, block.headings != above, title):
            found[each.question] = each.quote
        above = block.headings
    return found


def test_korean_pages_are_asked_as_people_ask():
    assert asked(KOREAN) == {
        "대출 카드는 무엇인가요?": "대출 카드는 책을 빌릴 때 신분을 확인하는 플라스틱 카드입니다.",
        "대출 카드를 만들려면 어떻게 해야 하나요?": "신청서를 쓰면 대출 카드를 만들 수 있습니다.",
        "대출 기간은 얼마나 되나요?": "대출 기간은 14일입니다.",
    }


def test_english_pages_are_asked_as_people_ask():
    assert asked(ENGLISH) == {
        "What is a loan card?": "A loan card is the plastic card that tells us who borrows a book.",
        "How do I renew a book?": "To renew a book, show your loan card at the desk before it ends.",
        "What are the opening hours?": "Opening hours: 9 to 18",
        "How long is the loan period?": "The loan period is 14 days.",
    }


@pytest.mark.parametrize("heading", ["개요", "크기", "자세히 보기", "Loan card", ""])
def test_a_heading_about_no_deed_asks_nothing(heading):
    assert how_question(heading) == ""


def test_every_proposal_is_a_conversation_whose_quote_stands_in_the_page_shown(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(KOREAN)
    (tmp_path / "docs" / "b.html").write_text(
        "<h1>Box</h1><p>A box is the thing that\nholds our other things.</p>"
    )
    made = propose(ProposeSettings(), tmp_path / "docs", tmp_path / "out.jsonl")
    rows = list(read_conversations(tmp_path / "out.jsonl"))
    assert made["documents"] == 2 and made["proposals"] == len(rows) >= 3
    for row in rows:
        assert row.meta["quote"] in row.messages[1].content and row.messages[2].content.startswith('"')
        assert (
            row.meta["url"].startswith("file:") and row.meta["rule"] and row.meta["start"] < row.meta["end"]
        )


def test_the_headings_of_a_web_page_are_headings_and_give_its_title(tmp_path):
    said = "A loan card is the plastic card that tells who borrows a book."
    body = f"<h2 class=x>Loan <b>card</b></h2><p>{said}</p>"
    (tmp_path / "a.html").write_text(f"<title>x</title><h1>Handbook</h1><p>Welcome to all.</p>{body}")
    propose(ProposeSettings(), tmp_path / "a.html", tmp_path / "out.jsonl")
    (row,) = read_conversations(tmp_path / "out.jsonl")
    assert row.messages[0].content == "What is a loan card?"
    assert row.messages[1].content.startswith("Handbook\nLoan card\nA loan card is")


def test_a_question_with_two_answers_is_left_out(tmp_path):
    for name, days in (("a", 14), ("b", 21)):
        (tmp_path / f"{name}.md").write_text(
            f"# 안내\n\n대출 기간은 {days}일입니다.\n\n연체료는 {days}원입니다.\n"
        )
    (tmp_path / "c.md").write_text("# 안내\n\n대출 권수는 5권입니다.\n")
    propose(ProposeSettings(), tmp_path, tmp_path / "out" / "p.jsonl")
    questions = [row.messages[0].content for row in read_conversations(tmp_path / "out" / "p.jsonl")]
    assert questions == ["대출 권수는 몇 권인가요?"]


def test_no_folder_no_documents_and_nothing_to_ask_are_said(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "dull.txt").write_text("nothing")
    for source, why in (("none", "no such"), ("empty", "no document"), ("dull.txt", "nothing to ask")):
        with pytest.raises(BadInput, match=why):
            propose(ProposeSettings(), tmp_path / source, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_proposals_replace_older_proposals_and_nothing_else(tmp_path):
    (tmp_path / "page.txt").write_text("# House\n\nThe fee is 3 euros.\n")
    out = tmp_path / "out.jsonl"
    for _ in range(2):
        propose(ProposeSettings(), tmp_path / "page.txt", out)
    for name, text in (("talks.jsonl", '{"messages": [{"role": "user", "content": "q"}]}\n'), ("x.txt", "x")):
        (tmp_path / name).write_text(text)
        with pytest.raises(BadInput, match=rf"{name}: stands there already"):
            propose(ProposeSettings(), tmp_path / "page.txt", tmp_path / name)
        assert (tmp_path / name).read_text() == text


def test_an_unreachable_drafter_is_said_without_its_key(tmp_path, monkeypatch):
    monkeypatch.setenv(KEY, "top-secret")
    (tmp_path / "a.md").write_text(KOREAN)
    settings = ProposeSettings(drafter="http://127.0.0.1:9/v1", model="m", allow_private=True)
    with pytest.raises(BadInput, match="drafter cannot be reached") as caught:
        propose(settings, tmp_path / "a.md", tmp_path / "out.jsonl")
    assert "top-secret" not in str(caught.value)


def test_a_private_drafter_must_be_allowed(tmp_path):
    (tmp_path / "a.md").write_text(KOREAN)
    with pytest.raises(BadInput, match="private address"):
        propose(ProposeSettings(drafter="http://127.0.0.1:9/v1", model="m"), tmp_path, tmp_path / "o.jsonl")


def test_proposals_pass_the_label_queue_and_come_out_as_conversations(tmp_path):
    (tmp_path / "a.md").write_text(KOREAN)
    propose(ProposeSettings(), tmp_path / "a.md", tmp_path / "p.jsonl")
    with Office.open(tmp_path / "labels.db", lambda: datetime(2026, 11, 23, tzinfo=UTC)) as office:
        owner = office.people.found("ann", "a long password")
        project = office.projects.create(owner, "p", {"en": "Be helpful."}, ProjectSettings(overlap=1)).id
        assert office.intake.read(owner, project, tmp_path / "p.jsonl").made == 3
        rule = RuleLabeller(office.people, office.desk, owner, "yes", lambda prompt, answer: 1.0)
        assert rule.work(project) == 3
        office.datasets.cut(owner, project, "approved", "conversations", tmp_path / "approved.jsonl")
    drafts, approved = (
        [row.messages for row in read_conversations(tmp_path / name)]
        for name in ("p.jsonl", "approved.jsonl")
    )
    assert approved == drafts
