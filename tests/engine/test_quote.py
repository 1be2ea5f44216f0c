"""Quoting: whatever the model thinks, between the quotation marks stands a piece of the page."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message
from nextword.engine.local import LocalModel
from nextword.engine.quote import Quote, Quoter, Unquoted
from nextword.tokenizer.special import CHAT_TEMPLATE, END
from nextword.tokenizer.tokenizer import Tokenizer

PAGE = 'dumps(obj)\n    Serialize obj to a JSON formatted str.\n\nloads(s)\n    "Deserialize" s, 한국어도.\n'


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer_folder):
    found = Tokenizer.load(tiny_tokenizer_folder)
    found.config = dict(found.config, chat_template=CHAT_TEMPLATE)
    return found


class Wishful:
    """A driver whose model wants to say one text, and next best whatever a seeded coin says."""

    name, context = "wishful", 4096

    def __init__(self, tokenizer, wish, seed=0):
        self.vocab_size = tokenizer.vocab_size
        self.wish = [*tokenizer.encode(wish), tokenizer.special[END]]
        self.noise = np.random.default_rng(seed)

    def rows(self, positions):
        return 9

    def begin(self, prompts, room):
        self.said, self.left, self.rows_now = 0, room, len(prompts)
        return self, self._logits()

    def step(self, tokens):
        assert len(tokens) == self.rows_now
        self.said += 1
        self.left -= 1
        assert self.left >= 0, "more tokens than there was room for"
        return self._logits()

    def keep(self, rows):
        assert rows and set(rows) <= set(range(self.rows_now))
        self.rows_now = len(rows)

    def close(self):
        self.said = -1

    def _logits(self):
        logits = self.noise.standard_normal((self.rows_now, self.vocab_size)).astype(np.float32)
        logits[:, self.wish[min(self.said, len(self.wish) - 1)]] += 50
        return logits


class Torn:
    """A driver with two wishes: the first word of one is likelier, but it leads nowhere in the page."""

    name, context = "torn", 4096

    def __init__(self, tokenizer, likelier, better):
        self.vocab_size, self.tokenizer = tokenizer.vocab_size, tokenizer
        self.wishes = [
            [*tokenizer.encode(f'"{wish}"'), tokenizer.special[END]] for wish in (likelier, better)
        ]

    def rows(self, positions):
        return 9

    def begin(self, prompts, room):
        self.said = [()] * len(prompts)
        return self, self._logits()

    def step(self, tokens):
        self.said = [(*said, token) for said, token in zip(self.said, tokens, strict=True)]
        return self._logits()

    def keep(self, rows):
        self.said = [self.said[row] for row in rows]

    def close(self):
        pass

    def _logits(self):
        logits = np.zeros((len(self.said), self.vocab_size), dtype=np.float32)
        for row, said in enumerate(self.said):
            for wish, more in zip(self.wishes, (9.0, 8.0), strict=True):
                if tuple(wish[: len(said)]) == said and len(said) < len(wish):
                    logits[row, wish[len(said)]] += more
        return logits


def quoted(tokenizer, wish, page=PAGE, seed=0):
    model = LocalModel(Wishful(tokenizer, wish, seed), tokenizer, [tokenizer.special[END]])
    return Quoter(model).quote(Conversation([Message("user", "q"), Message("tool", page)]), page)


def test_a_wish_that_stands_in_the_page_is_granted(tokenizer):
    found = quoted(tokenizer, 'It does this: "Serialize obj to a JSON formatted str."')
    assert isinstance(found, Quote)
    assert found.answer == 'It does this: "Serialize obj to a JSON formatted str."'
    assert PAGE[found.start : found.end] == found.text
    assert found.logprob == pytest.approx(0, abs=0.1)


def test_an_invented_word_cannot_be_said(tokenizer):
    found = quoted(tokenizer, '"Serialize obj to a XML formatted str."')
    assert found.text in PAGE
    assert found.text.startswith("Serialize obj to a ")


def test_a_likelier_beginning_that_leads_nowhere_does_not_win(tokenizer):
    model = LocalModel(
        Torn(tokenizer, "dumps what is given", "loads(s)"), tokenizer, [tokenizer.special[END]]
    )
    found = Quoter(model).quote(Conversation([Message("user", "q"), Message("tool", PAGE)]), PAGE)
    assert found.text == "loads(s)"


def test_a_token_that_has_the_space_before_the_word_may_begin_a_quote(tokenizer):
    page = "save(file, bitorder='big')"
    assert len(tokenizer.encode(" bitorder")) < len(tokenizer.encode(" ")) + len(tokenizer.encode("bitorder"))
    found = quoted(tokenizer, "\" bitorder='big'\"", page)
    assert found.text == "bitorder='big'" == page[found.start : found.end]


def test_korean_is_quoted_and_placed_by_its_characters(tokenizer):
    found = quoted(tokenizer, '"한국어도"')
    assert (found.text, PAGE[found.start : found.end]) == ("한국어도", "한국어도")


def test_a_model_that_does_not_quote_has_its_words_returned(tokenizer):
    assert quoted(tokenizer, "The page does not say.") == Unquoted("The page does not say.")


def test_a_model_that_only_talks_is_made_to_quote(tokenizer):
    found = quoted(tokenizer, "well " * 99)
    assert isinstance(found, Quote)
    assert found.text in PAGE


@settings(max_examples=60, deadline=None)
@given(some.text(min_size=1, max_size=200), some.text(max_size=40), some.integers(0, 9))
def test_whatever_page_and_wish_the_quote_is_the_page_s(tokenizer, page, wish, seed):
    found = quoted(tokenizer, f'"{wish}"', page, seed)
    assert isinstance(found, Unquoted) or page[found.start : found.end] == found.text


@pytest.mark.parametrize("seed", range(8))
def test_no_quote_ends_within_a_word_or_a_letter(tokenizer, seed):
    said = quoted(tokenizer, '"Seriali"', seed=seed)
    after = PAGE[said.end : said.end + 1]
    assert not (said.text[-1].isascii() and said.text[-1].isalnum() and after.isascii() and after.isalnum())


@pytest.mark.parametrize("wish", ['"Serialize "', '"Serialize', '"obj to a\n"'])
def test_no_quote_ends_after_a_space(tokenizer, wish):
    said = quoted(tokenizer, wish)
    assert said.text == said.text.rstrip() != ""


def test_a_korean_word_may_be_left_before_its_particle(tokenizer):
    assert quoted(tokenizer, '"한국어"').text == "한국어"


def test_an_empty_page_gives_an_empty_quote(tokenizer):
    assert quoted(tokenizer, '"anything"', "").text == ""


def test_a_page_that_does_not_fit_is_refused(tokenizer):
    model = LocalModel(Wishful(tokenizer, "a"), tokenizer, [])
    page = "word " * 5000
    with pytest.raises(BadInput, match="show the model a shorter passage"):
        Quoter(model).quote(Conversation([Message("user", page)]), page)


def test_a_model_elsewhere_cannot_be_held_to_a_page():
    with pytest.raises(BadInput, match="quoting needs a model on this machine"):
        Quoter(engine.open("fake:hello"))
