import pytest

from nextword.data.quality import Thresholds, poor_quality, repetitive, without_notices

LIMITS = Thresholds()
GOOD = (
    "The function reads a file and returns the value that it holds. It raises an error when the file is\n"
    "damaged, and it closes the file in any case. Two threads may call it at once, because it keeps no\n"
    "state of its own; a lock around the path would only be needed if you wrote to the file as well.\n"
)
KOREAN = 4 * (
    "이 함수는 파일을 읽어서 그 안에 든 값을 돌려줍니다. 파일이 깨져 있으면 오류를 일으키고, "
    "어떤 경우에도 파일을 닫습니다. "
)
CHINESE = "这个函数读取文件并返回其中的值。如果文件已损坏，它会引发错误，并且在任何情况下都会关闭文件。" * 3
REFERENCE = "\n".join(
    f"{name}(self, {argument}=None)\n    Return the {name} of the {argument}, and keep it with the others."
    for name in ("length", "width", "height", "colour")
    for argument in ("first", "second", "third", "fourth")
)


@pytest.mark.parametrize(("text", "lang"), [(GOOD, "en"), (KOREAN, "ko"), (CHINESE, "zh"), (REFERENCE, "en")])
def test_good_text_stays_in_every_language(text, lang):
    assert poor_quality(text, lang, LIMITS) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Moved. See the new page.", "too few words"),
        ("word " * 1_000_001, "too many words"),
        (GOOD + "Lorem ipsum dolor sit amet.", "lorem ipsum"),
        (GOOD + "buy #this #now #here #sale #deal #best #more #last #yes #no " * 3, "too many symbols"),
        (GOOD + "12 34 56 78 90 11 22 33 44 55 66 77\n" * 9, "too few words with letters"),
        ("aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQ " * 60, "words too short or too long"),
        ("alpha beta gamma delta epsilon zeta eta theta iota kappa " * 6, "too few stop words"),
        ("".join(f"- one of the many things to do, number {n}\n" for n in range(30)), "nearly all bullets"),
        (
            "".join(f"The news of the day, number {n} to read ...\n" for n in range(30)),
            "lines cut off by ...",
        ),
        ("the page\nof names\nto see\nand go\nwith it\n" * 9, "nearly all short lines"),
    ],
)
def test_poor_text_goes_and_says_why(text, reason):
    assert poor_quality(text, "en", LIMITS) == reason


def test_stop_words_are_asked_of_english_only():
    text = "alpha beta gamma delta epsilon zeta eta theta iota kappa " * 6
    assert poor_quality(text, "de", LIMITS) == ""


def test_comments_and_headings_are_not_hashtags():
    code = "# read the file and keep the value\nvalue = read(path)\n# then return it to the caller\n" * 9
    assert poor_quality(code, "en", LIMITS) == ""


@pytest.mark.parametrize("text", [GOOD, KOREAN[:70], CHINESE[:45]])
def test_ordinary_text_is_not_repetitive(text):
    assert repetitive(text, LIMITS) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("buy now " * 50, "one 2-word phrase all over"),
        ((GOOD + "\n") * 4, "10-word phrases repeated"),
    ],
)
def test_text_that_says_one_thing_again_and_again_is_repetitive(text, reason):
    assert repetitive(text, LIMITS) == reason


def test_a_line_asking_for_cookies_goes_and_its_neighbours_stay():
    text = "First.\nThis site uses cookies to know you.\nPlease enable JavaScript to continue.\nLast."
    assert without_notices(text) == "First.\nLast."


def test_a_page_about_javascript_keeps_its_lines():
    text = "JavaScript is a language.\nA cookie is a small file."
    assert without_notices(text) == text
