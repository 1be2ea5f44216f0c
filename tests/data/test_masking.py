import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.data.masking import CHECK_WEIGHTS, is_resident_number, masked


def resident_number(first_twelve: str, add: int = 0) -> str:
    total = sum(weight * int(digit) for weight, digit in zip(CHECK_WEIGHTS, first_twelve, strict=True))
    number = first_twelve + str(((11 - total % 11) % 10 + add) % 10)
    return f"{number[:6]}-{number[6:]}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail kim.min-su+x@mail.co.kr now", "mail <email> now"),
        ("010-1234-5678", "<phone>"),
        ("전화 02-123-4567, 031 765 4321", "전화 <phone>, <phone>"),
        ("01012345678입니다", "01012345678입니다"),
        ("01012345678 입니다", "<phone> 입니다"),
        ("+82 10-1234-5678", "<phone>"),
        ("+44 20 7946 0958", "<phone>"),
        ("call (415) 555-2671.", "call <phone>."),
    ],
)
def test_addresses_and_numbers_are_masked(text, expected):
    assert masked(text)[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "version 3.11.2 of 2026-11-23 at 10:20:30",
        "192.168.0.1 and 127.0.0.1:8080",
        "sha 0123456789abcdef0123456789abcdef",
        "@dataclass and @pytest.mark.parametrize",
        "user@example.com is nobody",
        "ISBN 978-3-16-148410-0",
        "range(1000000, 2000000)",
        "git@v2",
    ],
)
def test_versions_dates_hashes_decorators_and_examples_stay(text):
    assert masked(text)[0] == text


def test_a_resident_number_with_a_right_checksum_is_masked():
    number = resident_number("900101123456")
    assert masked(f"주민등록번호 {number}.") == (
        "주민등록번호 <resident-number>.",
        {"email": 0, "phone": 0, "resident": 1},
    )


def test_a_foreigners_number_adds_two_to_its_checksum():
    assert is_resident_number(resident_number("900101523456", add=2))
    assert not is_resident_number(resident_number("900101523456"))


def test_a_wrong_checksum_stays():
    number = resident_number("900101123456", add=1)
    assert masked(number)[0] == number


def test_a_number_of_after_october_2020_needs_no_checksum():
    assert is_resident_number("201130-3123456")


@pytest.mark.parametrize("digits", ["901301-1234567", "900230-1234567", "900101-9234567"])
def test_an_impossible_date_or_century_is_not_a_resident_number(digits):
    assert not is_resident_number(digits)


@given(st.text())
def test_masking_twice_changes_nothing(text):
    once, _ = masked(text)
    assert masked(once)[0] == once
