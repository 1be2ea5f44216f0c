import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.data.charset import decode

KOREAN = "훈민정음은 우리나라의 글자입니다. 나라의 말이 중국과 달라 문자와 서로 통하지 아니하므로. " * 20
CHINESE = "这是一个用来测试编码检测的中文页面，内容足够长，可以判断它的编码。" * 20
JAPANESE = "これは文字コードの判定を試すための日本語のページです。ひらがなとカタカナ。" * 20
RUSSIAN = "Это страница на русском языке, достаточно длинная, чтобы определить кодировку. " * 20


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_utf8_is_believed_whatever_the_label_says(text):
    text = text.lstrip("\ufeff")
    assert decode(text.encode(), "iso-8859-1") == (text, "utf-8")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides(encoding):
    found = decode(KOREAN.encode(encoding), "ascii")
    assert found is not None and found[0] == KOREAN


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_shows_in_its_zeros(encoding):
    found = decode(("<html>plain English text</html>" * 9).encode(encoding))
    assert found == ("<html>plain English text</html>" * 9, encoding)


@pytest.mark.parametrize(
    ("label", "text", "encoding"),
    [
        ("EUC-KR", KOREAN + "똠방각하", "cp949"),  # the label means the larger code page on the web
        ("gb2312", CHINESE, "gb18030"),
        ("Shift_JIS", JAPANESE, "cp932"),
        ("windows-1251", RUSSIAN, "cp1251"),
        ("iso-8859-1", "naïve café – déjà vu" * 9, "cp1252"),
    ],
)
def test_a_declared_label_means_what_the_web_means_by_it(label, text, encoding):
    assert decode(text.encode(encoding), label) == (text, encoding)


def test_a_meta_tag_is_believed_where_the_server_said_nothing():
    page = f'<html><meta http-equiv=Content-Type content="text/html; charset=euc-kr">{KOREAN}'
    assert decode(page.encode("cp949")) == (page, "cp949")


def test_a_label_that_does_not_fit_is_not_believed():
    page = f'<meta charset="euc-kr">{KOREAN}'
    found = decode(page.encode("cp949"), "utf-8")
    assert found == (page, "cp949")


def test_an_unheard_of_label_is_not_believed():
    assert decode(b"plain", "x-martian") == (b"plain".decode(), "utf-8")


@pytest.mark.parametrize(
    ("text", "encoding"), [(KOREAN, "cp949"), (CHINESE, "gb18030"), (JAPANESE, "cp932"), (RUSSIAN, "cp1251")]
)
def test_an_undeclared_encoding_is_guessed_from_the_letters(text, encoding):
    found = decode(f"<html><body><p>{text}</p></body></html>".encode(encoding))
    assert found is not None and text in found[0]


def test_utf8_with_one_damaged_byte_is_still_read():
    body = bytearray((KOREAN * 3).encode())
    body[300] = 0xFF
    found = decode(bytes(body))
    assert found is not None and found[1] == "utf-8" and found[0].count("\ufffd") <= 3


@pytest.mark.parametrize(
    "body", [bytes(range(256)) * 20, b"\x89PNG\r\n\x1a\n" + bytes(1000), b"\x00\x01" * 500]
)
def test_binary_has_no_encoding(body):
    assert decode(body) is None


@pytest.mark.timeout(60)  # quadratic work on this would take hours
def test_a_page_made_to_stall_the_guesser_does_not():
    found = decode(b"<meta " * 200_000 + b"\xff")
    assert found is None or found[0].startswith("<meta ")
