"""The form of answers: ended, in the right language, how long."""

from __future__ import annotations

import pytest

from nextword.common.records import Conversation, Message
from nextword.evaluate.exam import Marked, Reply
from nextword.evaluate.form import form, language


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ('"indent=None", so the default is None.', "en"),
        ('"indent=None"라고 되어 있으므로 기본값은 None입니다.', "ko"),
        ("The Korean word is “사과”.", "en"),
        ("`json.dumps`를 쓰세요.", "ko"),
        ("json.dumps(obj)", None),
        ('"dumps(obj, *, indent=None)"', None),
        ("42", None),
        ("", None),
        ("```\n모두 코드\n```", None),
        ("It's a heap, isn't it?", "en"),
    ],
)
def test_the_language_is_that_of_the_words_outside_quotations(text, lang):
    assert language(text) == lang


def marked(question, answer, end="stop"):
    meta = {"id": f"{question}{answer}"}
    return Marked(Conversation([Message("user", question)], meta=meta), Reply(answer, end), 0.0)


def test_form_counts_ends_languages_and_words():
    found = form(
        [
            marked("What is it?", "It is a heap."),
            marked("무엇인가요?", "It is a heap."),
            marked("무엇인가요?", "힙입니다.", "length"),
            marked("What is it?", "", "failed"),
        ]
    )
    assert found.stopped.mean == 0.5
    assert (found.language.mean, found.language.count) == (pytest.approx(2 / 3), 3)
    assert found.words.mean == (4 + 4 + 1 + 0) / 4
    assert found.empty.mean == 0.25
