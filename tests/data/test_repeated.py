import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextword.data.repeated import line_hashes, without_repeats

INHERITED = (
    "Methods inherited from BaseException:\n"
    "__delattr__(self, name, /)\n    Implement delattr(self, name).\n\n"
    "__repr__(self, /)\n    Return repr(self).\n\n"
    "__setattr__(self, name, value, /)\n    Implement setattr(self, name, value)."
)
FIRST = f"class Alpha(Exception)\n\nA thing of the first kind.\n\n{INHERITED}"
SECOND = f"class Beta(Exception)\n\nAnother thing, of the second kind.\n\n{INHERITED}\n\nThe end of Beta."


def cleaned(*texts):
    """Each text without the lines of those before it."""
    seen, results = set(), []
    for text in texts:
        hashes = line_hashes(text).tolist()
        repeats = [unit for unit, key in enumerate(hashes) if key in seen or seen.add(key)]
        results.append(without_repeats(text, np.array(repeats, dtype=np.uint32)))
    return [result.text for result in results]


def test_the_first_place_keeps_an_inherited_block_and_the_second_loses_it():
    assert cleaned(FIRST, SECOND) == [
        FIRST,
        "class Beta(Exception)\n\nAnother thing, of the second kind.\n\nThe end of Beta.",
    ]


def test_short_repeated_lines_inside_fresh_code_stay():
    one = ">>> import os\n>>> def f():\n...     return 1\n}\nelse:\n    pass"
    two = ">>> import os\n>>> names = os.listdir()\n>>> def f():\n...     return 1\n}\nelse:\n    pass\nx"
    assert cleaned(one, two)[1] == two


def test_a_whole_repeated_example_goes():
    code = "```\nfor name in sorted(names):\n    print(name)\n```"
    one, two = f"One page.\n\n{code}\n\nOf one.", f"Two page.\n\n{code}\n\nOf two."
    assert cleaned(one, two)[1] == "Two page.\n\nOf two."


def test_a_repeated_sentence_inside_a_fresh_paragraph_stays():
    one = "It returns None when there is nothing.\n\nMore."
    two = "The second function is new here.\nIt returns None when there is nothing.\nAnd it says so."
    assert cleaned(one, two)[1] == two


def test_a_repeated_notice_between_empty_lines_goes():
    one = "First.\n\nCopyright the authors of this site.\n\nText."
    two = "Second.\n\nCopyright the authors of this site.\n\nOther text."
    assert cleaned(one, two)[1] == "Second.\n\nOther text."


def test_a_menu_at_the_top_goes_however_short():
    assert (
        cleaned("Home | Docs\n\nThe first page.", "Home | Docs\n\nThe second page.")[1] == "The second page."
    )


def test_a_heading_stays_with_the_new_text_below_it():
    one = "class One(object)\n\nMethods defined here:\nfirst(self)\n    Do the first thing."
    two = "class Two(object)\n\nMethods defined here:\nsecond(self)\n    Do the second thing."
    assert cleaned(one, two)[1] == two


def test_a_section_s_heading_stays_when_only_the_end_of_its_list_is_new():
    known = "Data descriptors defined here:\n\n__dict__\n    dictionary for instance variables\n\n"
    one = f"class One(object)\n\n{known}first\n    The first one's."
    two = f"class Two(object)\n\nOf two.\n\n{known}second\n    The second one's."
    kept = "Data descriptors defined here:\n\nsecond\n    The second one's."
    assert cleaned(one, two)[1] == f"class Two(object)\n\nOf two.\n\n{kept}"


def test_a_heading_that_is_a_paragraph_stays_after_a_list_that_goes():
    listed = "Modules\n\ncollections\nitertools\nfunctools\n\nFunctions\n\n"
    one, two = f"The first.\n\n{listed}one(x)\n    One.", f"The second.\n\n{listed}two(x)\n    Two."
    assert cleaned(one, two)[1] == "The second.\n\nFunctions\n\ntwo(x)\n    Two."


def test_a_signature_stays_with_its_new_docstring():
    one = "The module one.\n\nclose(self, wait=True, *, cancel=False)\n    Close the one."
    two = "The module two.\n\nclose(self, wait=True, *, cancel=False)\n    Close the other."
    assert cleaned(one, two)[1] == two


def test_korean_and_chinese_paragraphs_that_repeat_go():
    notice = "이 문서는 사용자 모임이 함께 옮기고 다듬었습니다. 잘못이 있으면 알려 주세요."
    han = "本文档由社区翻译并维护，如果您发现任何错误，请告诉我们。"
    one, two = f"첫째.\n\n{notice}\n\n{han}\n\n끝.", f"둘째 쪽.\n\n{notice}\n\n{han}\n\n다른 끝."
    assert cleaned(one, two)[1] == "둘째 쪽.\n\n다른 끝."


def test_bytes_are_counted_before_and_after():
    result = without_repeats("가나다라\n\nabc", np.array([1], dtype=np.uint32))
    assert (result.line_bytes, result.new_bytes, result.kept_bytes) == (15, 12, 15)


def test_counting_without_removing_leaves_the_text():
    repeats = np.arange(3, dtype=np.uint32)
    assert without_repeats(INHERITED, repeats, remove=False).text == INHERITED


PARAGRAPHS = st.lists(
    st.lists(st.sampled_from(["alpha beta gamma delta", "x = 1", "}", "Heading:", "    indented line here", "한글 줄"]), min_size=1, max_size=4).map("\n".join),  # noqa: E501
    max_size=6,
).map("\n\n".join)  # fmt: skip


@given(st.lists(PARAGRAPHS, max_size=4))
def test_a_line_that_goes_from_one_place_stays_in_the_first(texts):
    before = {line.strip() for text in texts for line in text.split("\n") if any(map(str.isalnum, line))}
    after = {line.strip() for text in cleaned(*texts) for line in text.split("\n")}
    assert before <= after


@given(st.lists(PARAGRAPHS, max_size=4))
def test_no_line_is_invented_or_moved(texts):
    for before, after in zip(texts, cleaned(*texts), strict=True):
        left = iter(before.split("\n"))
        assert all(line in left for line in after.split("\n") if line.strip())
