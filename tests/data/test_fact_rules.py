"""Plain facts are asked for as people ask, and what is no plain fact is not asked for."""

import pytest

from nextword.data.fact_rules import facts
from nextword.data.propose import ProposeSettings, propose

KOREAN = {
    "도서관은 매일 오전 9시부터 오후 6시까지 엽니다.": "도서관은 언제 엽니까?",
    "열람실 좌석은 2층 단말기에서 예약합니다.": "열람실 좌석은 어디에서 예약합니까?",
    "분실물 보관함은 1층 안내 데스크 옆에 있습니다.": "분실물 보관함은 어디에 있습니까?",
    "연체료는 하루에 100원입니다.": "연체료는 얼마인가요?",
    "도서관 담당자는 김영희입니다.": "도서관 담당자는 누구인가요?",
    "대표 전화번호는 02-123-4567입니다.": "대표 전화번호는 어떻게 되나요?",
    "신입생 교육은 3시간 동안 진행합니다.": "신입생 교육은 얼마 동안 진행합니까?",
    "일반 회원은 다섯 권까지 빌립니다.": "일반 회원은 몇 권까지 빌립니까?",
}
ENGLISH = {
    "The library is open from 9 am to 6 pm every day except Monday.": "When is the library open?",
    "A late return costs 100 won per day.": "How much does a late return cost?",
    "Reading-room seats are booked at the terminal upstairs.": "Where are reading-room seats booked?",
    "A booking expires after 20 minutes.": "When does a booking expire?",
    "The safety course lasts about 3 hours.": "How long does the safety course last?",
    "The librarian is Younghee Kim.": "Who is the librarian?",
    "The code of the front door is 4711.": "What is the code of the front door?",
    "Invoices are paid within 30 days.": "When are invoices paid?",
    "NASA reports are kept in the archive.": "Where are NASA reports kept?",
}
NO_FACT = [
    "월요일은 쉽니다.",
    "이 방은 3층에 있습니다.",
    "차이점은 메모리 사용 방식에 있습니다.",
    "옛것과 새것이 같은 질문에 답합니다.",
    "이전에는 컴포넌트의 관점에서 생각했습니다.",
    "예약은 단말기에서 하고, 좌석은 2층에서 고릅니다.",
    "PascalCase 이름은 유효한 JavaScript 식별자입니다.",
    "This room is open from 9 am to 6 pm.",
    "The service is available on 3 machines in all.",
    "Two wrong answers are compared by their F1 score.",
    "Everything is kept in the archive of the club.",
    "Her phone number is 02-123-4567.",
]


@pytest.mark.parametrize(("sentence", "question"), [*KOREAN.items(), *ENGLISH.items()])
def test_a_plain_fact_is_asked_for(sentence, question):
    assert [(asked, quote) for asked, quote, _ in facts([sentence])] == [(question, sentence)]


@pytest.mark.parametrize("sentence", NO_FACT)
def test_what_is_no_plain_fact_is_not(sentence):
    assert list(facts([sentence])) == []


def test_plain_text_without_headings_is_asked_about_sentence_by_sentence(tmp_path):
    (tmp_path / "안내.txt").write_text("도서관 이용 안내\n" + "\n".join(KOREAN))
    (tmp_path / "guide.txt").write_text("Guide\n" + "\n".join(f"- {sentence}" for sentence in ENGLISH))
    made = propose(ProposeSettings(), tmp_path, tmp_path / "out" / "p.jsonl")
    assert made["proposals"] == len(KOREAN) + len(ENGLISH)
