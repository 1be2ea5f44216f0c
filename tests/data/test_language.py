import pytest

from nextword.data.language import language

CODE = "def load(path):\n    return json.loads(path.read_text())\n\n" * 12
KO = "이 함수는 파일을 읽어서 값을 돌려줍니다. 오류가 나면 예외를 일으킵니다.\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The quick brown fox jumps over the lazy dog, and then it goes home to sleep.\n" * 5, "en"),
        (KO * 5, "ko"),
        ("本指南概述了在编辑以及贡献文档中必要的样式原则。目的是在你的贡献之旅中投入更好的精力。" * 3, "zh"),
        ("これはひらがなとカタカナと漢字で書かれた日本語の文章です。" * 5, "ja"),
        ("Cette page décrit la bibliothèque et les fonctions que vous pouvez appeler ailleurs.\n" * 5, "fr"),
        ("Это страница на русском языке, достаточно длинная, чтобы определить язык. " * 5, "ru"),
        (CODE, "en"),
        ("ABCDEF\nGHI\nJKL\n" * 10, "en"),
        ("1234 5678 ---\n" * 10, ""),
        ("", ""),
    ],
)  # fmt: skip
def test_the_language_of_a_text(text, expected):
    assert language(text) == expected


def test_korean_among_much_code_is_korean():
    assert language(CODE + KO * 3 + CODE) == "ko"


def test_the_rulers_of_a_table_are_not_prose():
    ruler = "+" + 50 * "-" + "+" + 30 * "-" + "+\n"
    assert language((ruler + "| x | the value of x |\n") * 30) == "en"


def test_a_foreign_name_does_not_make_an_english_page_korean():
    page = "Written by 홍길동 for the documentation of this library, which is otherwise in English.\n" * 1
    assert language(page + "It explains each function and each class in turn, with examples.\n" * 9) == "en"
