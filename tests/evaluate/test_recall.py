"""Recall: memorised, plausible and invented words, and the page's compression."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nextword.common.errors import BadInput
from nextword.engine.fake import FakeModel
from nextword.evaluate.recall import RecallSettings, colour, page_bits, recall, split_page, words_of

PAGE = """NAME
    json - encoder and decoder of JSON

FUNCTIONS
    json.dumps(obj) serialises an object to a JSON formatted string
    json.loads(s) reads a string that holds a JSON document
"""
KNOWN = words_of([PAGE, "a socket reads an object from another host"])
SETTINGS = RecallSettings(lines=3, tokens=50, run=4)


def kinds(text, page=PAGE, run=4):
    spans = list(colour(text, page, KNOWN, run))
    assert "".join(span.text for span in spans) == text
    return {word: span.kind for span in spans for word in span.text.split()}


def test_a_run_that_stands_in_the_page_is_memorised():
    assert set(kinds("serialises an object to a JSON").values()) == {"memorised"}


def test_a_run_one_word_too_short_is_only_plausible():
    assert set(kinds("serialises an object", run=4).values()) == {"plausible"}


def test_a_run_is_coloured_to_its_ends_and_no_further():
    coloured = kinds("host serialises an object to another")
    assert coloured == {
        "host": "plausible",
        "serialises": "memorised",
        "an": "memorised",
        "object": "memorised",
        "to": "memorised",
        "another": "plausible",
    }


def test_a_word_the_corpus_never_had_is_invented():
    assert kinds("json.dumps(obj) json.dumpz(obj), 42") == {
        "json.dumps(obj)": "plausible",
        "json.dumpz(obj),": "invented",
        "42": "invented",
    }


def test_a_dotted_name_of_real_parts_is_invented_when_the_whole_is_not_real():
    assert kinds("json.socket") == {"json.socket": "invented"}


def test_punctuation_and_capitals_do_not_make_a_word_another():
    assert kinds("(Socket), --- host.") == {
        "(Socket),": "plausible",
        "---": "plausible",
        "host.": "plausible",
    }


@given(some.text(), some.text(), some.integers(1, 8))
def test_spans_join_to_the_text_whatever_it_is(said, page, run):
    assert "".join(span.text for span in colour(said, page, KNOWN, run)) == said


@given(some.lists(some.sampled_from(["an", "object", "host", "zzz"]), min_size=1, max_size=30))
def test_a_page_repeated_word_for_word_is_all_memorised(words):
    text = " ".join(words)
    assert {span.kind for span in colour(text, text, KNOWN, run=len(words))} == {"memorised"}


def test_a_perfect_memory_gives_the_page_back():
    prompt, rest = split_page(PAGE, 3)
    found = recall(FakeModel({prompt: rest, "": PAGE}), PAGE, KNOWN, SETTINGS)
    assert found.share("memorised") == 1
    assert "".join(span.text for span in found.said) == rest
    assert {span.kind for span in found.true} == {"memorised"}


def test_a_dreamer_gives_back_words_of_all_kinds():
    prompt, _ = split_page(PAGE, 3)
    dream = "json.dumps(obj) serialises an object from another flumph"
    found = recall(FakeModel({prompt: dream, "": PAGE}), PAGE, KNOWN, SETTINGS)
    assert [span.kind for span in found.said] == ["memorised", "plausible", "invented"]
    assert found.share("invented") == pytest.approx(1 / 7)
    assert {span.kind for span in found.true} == {"memorised", "lost"}


def test_a_word_cut_by_the_limit_is_not_judged():
    found = recall(FakeModel("an object fromage"), PAGE, KNOWN, RecallSettings(lines=3, tokens=2, run=4))
    assert "".join(span.text for span in found.said) == "an "


def test_the_page_compresses_by_its_bits_under_the_model():
    found = recall(FakeModel({split_page(PAGE, 3)[0]: "x", "": PAGE}), PAGE, KNOWN, SETTINGS)
    assert found.page_bits == pytest.approx(-math.log2(0.9) * len(PAGE.split()), rel=0.1)
    assert found.compression == pytest.approx(8 * len(PAGE.encode()) / found.page_bits)


@pytest.mark.parametrize("wrong", [{"lines": 0}, {"tokens": 0}, {"run": 0}, {"run": -3}])
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(BadInput, match=f"{next(iter(wrong))} is .*; give at least 1"):
        RecallSettings(**wrong)


def test_more_tokens_than_the_context_holds_are_as_many_as_fit(tiny_model, tiny_tokenizer_folder):
    from nextword.engine import wrap
    from nextword.tokenizer.tokenizer import Tokenizer

    model = wrap(tiny_model, Tokenizer.load(tiny_tokenizer_folder))
    assert recall(model, PAGE, KNOWN, RecallSettings(lines=1, tokens=99_999_999)).said


@pytest.mark.parametrize("lines", [5, 6, 60])
def test_a_page_with_nothing_after_its_first_lines_is_refused(lines):
    with pytest.raises(BadInput, match=f"nothing after its first {lines} lines"):
        split_page(PAGE, lines)


def test_bits_of_a_page_longer_than_the_context_cover_every_token(tiny_model, tiny_tokenizer_folder):
    from nextword.engine import wrap
    from nextword.tokenizer.tokenizer import Tokenizer

    model = wrap(tiny_model, Tokenizer.load(tiny_tokenizer_folder))
    short = page_bits(model, PAGE[:60])
    assert short == pytest.approx(-sum(model.score("", PAGE[:60])) / math.log(2))
    assert page_bits(model, "한국어 " + PAGE * 3) > 3 * short
