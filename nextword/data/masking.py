"""Masking what names a person: e-mail addresses, telephone numbers, Korean resident registration numbers.

Each rule asks for form and, where the number has one, for sense: a resident number must hold a real date,
a known century and region digit, and (for those issued before October 2020, whose last digit is a
checksum) count up; a telephone number must begin as Korean or international numbers do, so that versions,
dates and hashes stay.

What is not covered: names, street addresses, bank accounts, numbers written in words, addresses spelled
"user at host". It lowers the risk; it is not anonymisation.
"""

from __future__ import annotations

import re
from datetime import date

EMAIL = re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b(?!\()")
RESIDENT = re.compile(r"(?<![\d-])(\d{2})(\d{2})(\d{2})[- ]?([1-8])(\d{6})(?![\d-])")
PHONE = re.compile(
    r"(?<![\w.+-])(?:"
    r"(?:\+82[- .]?\(?0?\)?|0)"
    r"(?:1[016789]|2|3[1-3]|4[1-4]|5[1-5]|6[1-4]|50\d|70|80)\)?[- .]?\d{3,4}[- .]\d{4}"
    r"|01[016789]\d{7,8}"
    r"|\+[1-9]\d{0,2}[- .]\(?\d{1,4}\)?(?:[- .]\d{2,4}){2,4}"
    r"|\(\d{3}\) ?\d{3}-\d{4}"
    r")(?![\w-])(?!\.\d)"
)
DOMAINS_OF_EXAMPLES = ("example.com", "example.org", "example.net")  # RFC 2606: nobody's
CHECK_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)

MASKS = {"email": "<email>", "phone": "<phone>", "resident": "<resident-number>"}


def masked(text: str) -> tuple[str, dict[str, int]]:
    """The text with personal numbers and addresses replaced, and how many of each kind.

    >>> masked("홍길동 900101-1234568, 010-1234-5678")[0]
    '홍길동 <resident-number>, <phone>'
    """
    counts = dict.fromkeys(MASKS, 0)

    def replace(kind: str, found: re.Match[str], is_real: bool) -> str:
        if not is_real:
            return found.group()
        counts[kind] += 1
        return MASKS[kind]

    text = RESIDENT.sub(lambda found: replace("resident", found, is_resident_number(found.group())), text)
    text = PHONE.sub(lambda found: replace("phone", found, True), text)
    text = EMAIL.sub(lambda found: replace("email", found, not _is_example(found.group())), text)
    return text, counts


def is_resident_number(written: str) -> bool:
    """Whether this is a Korean resident (or foreigner) registration number: YYMMDD-SBBBBNC.

    The checksum, (11 - sum of weighted digits mod 11) mod 10, is asked of those born before October 2020;
    later ones carry random digits. Foreigners' numbers (5 to 8) add 2 to it.
    """
    digits = [int(digit) for digit in written if digit.isdigit()]
    if len(digits) != 13:
        return False
    century = {1: 1900, 2: 1900, 3: 2000, 4: 2000, 5: 1900, 6: 1900, 7: 2000, 8: 2000}.get(digits[6])
    if century is None:
        return False
    try:
        born = date(
            century + 10 * digits[0] + digits[1], 10 * digits[2] + digits[3], 10 * digits[4] + digits[5]
        )
    except ValueError:
        return False
    if born >= date(2020, 10, 1):
        return True
    total = sum(weight * digit for weight, digit in zip(CHECK_WEIGHTS, digits, strict=False))
    check = (11 - total % 11) % 10
    return digits[12] == ((check + 2) % 10 if digits[6] >= 5 else check)


def _is_example(address: str) -> bool:
    return address.lower().endswith(DOMAINS_OF_EXAMPLES)
