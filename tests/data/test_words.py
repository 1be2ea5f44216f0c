import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextword.data.words import WORD, distinct, shingles, word_hashes, words


def test_words_of_three_scripts():
    assert words("Two files: 두 파일이면 된다. 两个文件") == [
        *("two", "files", "두", "파일이면", "된다"),
        *("两", "个", "文", "件"),
    ]


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_fast_way_for_ascii_finds_the_same_words(text):
    assert words(text) == WORD.findall(text.lower())


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=5, max_size=40))
def test_equal_phrases_and_only_they_have_equal_shingles(tokens):
    found = shingles(word_hashes(tokens), 3)
    phrases = [tuple(tokens[at : at + 3]) for at in range(len(tokens) - 2)]
    assert len(set(found.tolist())) == len(set(phrases))


def test_a_short_text_is_one_shingle():
    assert len(shingles(word_hashes(["only", "two"]), 5)) == 1
    assert len(shingles(word_hashes([]), 5)) == 0


@given(st.lists(st.integers(0, 50)))
def test_distinct_agrees_with_numpy(numbers):
    hashes = np.array(numbers, dtype=np.uint64)
    assert distinct(hashes).tolist() == np.unique(hashes).tolist()
