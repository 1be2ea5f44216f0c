"""Which language a piece of text is in, Korean or else English."""

from __future__ import annotations

import pytest

from nextword.data.sentences import is_korean


@pytest.mark.parametrize(
    ("text", "korean"),
    [
        ("도서관은 몇 시에 여나요?", True),
        ("urllib.request.build_opener의 인자는?", True),
        ("`Bake the dough, and let it cool for a while.`는 무슨 뜻인가요?", True),
        ("Written by 홍길동 for the documentation of this library.", False),
        ("What does '언어' mean?", False),
        ("Bake the dough.", False),
        ("1 + 2 = 3 ?!", False),
        ("", False),
    ],
)
def test_a_text_is_korean_by_its_words(text, korean):
    assert is_korean(text) is korean
