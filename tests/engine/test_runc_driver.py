"""The port over run.c: the same text as torch, pages dealt and given back, and clear lines for bad files."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

import nextword.engine as engine
from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.common.language_model import LanguageModel, Request, Sampling
from nextword.common.progress import Progress
from nextword.common.records import Conversation, Message
from nextword.engine.quote import Quoter
from nextword.evaluate.next_word import next_words
from nextword.model.checkpoint import save_checkpoint
from nextword.release.parameters import write_parameters
from nextword.tokenizer.special import CHAT_TEMPLATE

TEXTS = ["def", "An error a person can act on: what is wrong", "한국어", "x = 1\n", "the the the the"]


@pytest.fixture
def gguf(need, tiny_model, tiny_tokenizer_folder, tmp_path):
    need("cc")
    save_checkpoint(tiny_model, tmp_path / "model", tokenizer=tiny_tokenizer_folder)
    with Progress("release", console=Console(quiet=True)) as progress:
        write_parameters(tmp_path / "model", tmp_path / "tiny.gguf", "F32", progress)
    return tmp_path / "tiny.gguf"


@pytest.fixture
def runc(gguf):
    return engine.open(gguf, threads=1)


class Speaking:
    """A vocabulary with a chat template."""

    def __init__(self, vocabulary):
        self.vocabulary, self.chat_template = vocabulary, CHAT_TEMPLATE

    def __getattr__(self, name):
        return getattr(self.vocabulary, name)


def requests(sampling=None, n=24):
    sampling = sampling or Sampling(temperature=0, max_new_tokens=n)
    return [Request(text, sampling, id=f"r{number}", seed=number) for number, text in enumerate(TEXTS)]


def test_a_gguf_opens_as_a_language_model_of_its_context(runc, gguf):
    assert isinstance(runc, LanguageModel)
    assert (runc.capabilities.name, runc.capabilities.context) == (str(gguf), 128)
    assert runc.ends == {481, 487}


def test_greedy_text_is_the_same_as_torchs(runc, model, heard):
    ours, torchs = heard(runc.generate(requests())), heard(model.generate(requests()))
    assert ours.ids == torchs.ids
    assert ours.text == torchs.text
    for id in ours.logprobs:
        assert ours.logprobs[id] == pytest.approx(torchs.logprobs[id], abs=1e-3)


def test_sampled_text_is_the_same_as_torchs(runc, model, heard):
    sampling = Sampling(temperature=0.8, top_k=40, top_p=0.95, max_new_tokens=16)
    ours = heard(runc.generate(requests(sampling)))
    assert ours.ids == heard(model.generate(requests(sampling))).ids


def test_a_batch_gives_what_each_gives_alone(runc, heard):
    together = heard(runc.generate(requests(n=12)))
    for request in requests(n=12):
        assert together.ids[request.id] == heard(runc.generate([request])).ids[request.id]


def test_scores_are_torchs(runc, model, monkeypatch):
    monkeypatch.setattr("nextword.engine.runc_driver.CHUNK", 5)
    assert runc.score(TEXTS[1], TEXTS[1]) == pytest.approx(model.score(TEXTS[1], TEXTS[1]), abs=1e-3)


def test_next_words_are_torchs(runc, model):
    ours, torchs = dict(next_words(runc, "def", 20)), dict(next_words(model, "def", 20))
    assert ours == pytest.approx(torchs, abs=1e-4)


def test_a_sequence_across_several_pages_is_the_same(runc, model, heard):
    long = [Request(TEXTS[1] * 2, Sampling(temperature=0, max_new_tokens=70), id="long")]
    ids = heard(runc.generate(long)).ids["long"]
    assert ids == heard(model.generate(long)).ids["long"]


def test_a_context_larger_than_memory_is_cut_to_what_fits(gguf, heard, monkeypatch):
    monkeypatch.setattr("nextword.engine.runc_driver.CACHE_BYTES", 2 * 2 * 2 * 16 * 4 * 64 * 1)  # one page
    small = engine.open(gguf, threads=1)
    assert (small.capabilities.context, small.driver.rows(64)) == (64, 1)
    result = heard(small.generate(requests(n=100)))
    assert all(end.reason in ("stop", "length") for end in result.end.values())


def test_every_page_comes_back(runc, heard):
    free = len(runc.driver._free)
    heard(runc.generate(requests(n=5)))
    runc.score("a", "b")
    half = runc.generate(requests(n=50))
    next(half)
    assert len(runc.driver._free) < free
    half.close()
    assert sorted(runc.driver._free) == list(range(free))


def test_a_row_named_twice_goes_on_as_two_with_pages_of_their_own(runc, model):
    free, prompts = len(runc.driver._free), [[5, 6, 7], [9] * 70]
    batches = [one.driver.begin(prompts, 20)[0] for one in (runc, model)]
    for tokens, rows in (([1, 2], [1, 0, 1, 1]), ([3, 4, 5, 6], [3, 0, 0, 2]), ([7, 8, 9, 10], [0, 1, 2, 3])):
        ours, torchs = (batch.step(tokens) for batch in batches)
        assert ours == pytest.approx(torchs, abs=1e-4)
        for batch in batches:
            batch.keep(rows)
    batches[0].close()
    assert sorted(runc.driver._free) == list(range(free))


def test_quotes_are_torchs(runc, model):
    page = "dumps(obj) Serialize obj. loads(s) Deserialize s."
    for one in (runc, model):
        one.vocabulary = Speaking(one.vocabulary)
    asked = Conversation([Message("user", "What?"), Message("tool", page)])
    assert Quoter(runc).quote(asked, page).text == Quoter(model).quote(asked, page).text != ""


def test_a_request_that_finds_no_pages_fails_with_one_line(runc, heard):
    runc.driver.deal(len(runc.driver._free))
    result = heard(runc.generate(requests(n=5)))
    assert all(isinstance(end.error, Failure) for end in result.end.values())
    assert "pages of keys and values are needed and 0 are free" in str(result.end["r0"].error)


def test_special_tokens_are_known_by_name(runc, tokenizer):
    assert runc.vocabulary.special == tokenizer.special
    assert any(word == "<|eos|>" for word, _ in next_words(runc, "def", 512))


def test_a_truncated_file_is_refused_in_one_line(gguf):
    gguf.write_bytes(gguf.read_bytes()[:-1000])
    with pytest.raises(BadInput, match=r"tiny.gguf: ") as error:
        engine.open(gguf)
    assert "\n" not in str(error.value)


def test_a_flipped_bit_in_the_weights_is_noticed(gguf):
    data = bytearray(gguf.read_bytes())
    data[-100] ^= 4
    gguf.write_bytes(data)
    with pytest.raises(Corrupt, match="not those that were written"):
        engine.open(gguf)


def test_a_tied_head_runs_too(need, tiny_config, tiny_tokenizer_folder, tmp_path, heard, tokenizer):
    from nextword.model.llama import Llama

    need("cc")
    tied = Llama(replace(tiny_config, tie_word_embeddings=True, num_key_value_heads=4)).eval()
    tied.initialise(3)
    save_checkpoint(tied, tmp_path / "model", tokenizer=tiny_tokenizer_folder)
    with Progress("release", console=Console(quiet=True)) as progress:
        write_parameters(tmp_path / "model", tmp_path / "tied.gguf", "F32", progress)
    ours = engine.open(tmp_path / "tied.gguf", threads=1).score(TEXTS[1], TEXTS[4])
    assert ours == pytest.approx(engine.wrap(tied, tokenizer).score(TEXTS[1], TEXTS[4]), abs=1e-3)
