"""The port over torch: batches that equal single runs, streaming, stopping, cancelling, failing."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
import torch

from nextword.common.errors import BadInput, Failure
from nextword.common.language_model import Done, Failed, LanguageModel, Request, Sampling, Token
from nextword.common.records import Conversation, Message
from nextword.engine import wrap
from nextword.evaluate.next_word import next_words

GREEDY = Sampling(temperature=0, max_new_tokens=20)
TEXTS = ["def", "An error a person can act on: what is wrong", "한국어", "x = 1\n", "the the the the"]


def greedy(text, id, n=20, **rest):
    return Request(text, Sampling(temperature=0, max_new_tokens=n), id=id, **rest)


def alone(model, heard, request):
    result = heard(model.generate([request]))
    return result.ids.get(request.id), result.text.get(request.id), result.end[request.id].reason


def test_it_is_a_language_model_that_knows_what_it_can(model):
    assert isinstance(model, LanguageModel)
    assert (model.capabilities.context, model.capabilities.ids, model.capabilities.logprobs) == (
        128,
        True,
        True,
    )


def test_greedy_text_is_the_models_own_argmax(model, tiny_model, tokenizer, heard):
    ids = tokenizer.encode(TEXTS[0], bos=True)
    made = []
    for _ in range(20):
        with torch.no_grad():
            made.append(int(tiny_model(torch.tensor([ids + made]))[0, -1].argmax()))
    result = heard(model.generate([greedy(TEXTS[0], "a")]))
    assert result.ids["a"] == made
    assert result.text["a"] == tokenizer.decode(made)


def test_a_batch_of_unlike_lengths_gives_what_each_gives_alone(model, heard):
    requests = [greedy(text, f"r{n}", n=5 + 4 * n) for n, text in enumerate(TEXTS)]
    together = heard(model.generate(requests))
    for request in requests:
        ids, text, reason = alone(model, heard, request)
        assert (together.ids[request.id], together.text[request.id]) == (ids, text)
        assert together.end[request.id].reason == reason
        single = heard(model.generate([request]))
        assert together.logprobs[request.id] == pytest.approx(single.logprobs[request.id], abs=1e-4)


def test_sampled_text_does_not_depend_on_its_company_either(model, heard):
    sampling = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=12)
    requests = [Request(text, sampling, seed=n, id=f"s{n}") for n, text in enumerate(TEXTS)]
    together = heard(model.generate(requests))
    for request in requests:
        assert together.ids[request.id] == alone(model, heard, request)[0]


def test_more_requests_than_a_batch_holds_are_all_answered(tiny_model, tokenizer, heard):
    model = wrap(tiny_model, tokenizer, batch=2)
    requests = [greedy(text, f"r{n}", n=4) for n, text in enumerate(TEXTS)]
    result = heard(model.generate(requests))
    assert sorted(result.end) == sorted(request.id for request in requests)
    for request in requests:
        assert result.ids[request.id] == alone(model, heard, request)[0]


def test_a_batch_is_smaller_where_memory_is(tiny_model, tokenizer, heard, monkeypatch):
    model = wrap(tiny_model, tokenizer)
    requests = [greedy(text, f"r{n}", n=4) for n, text in enumerate(TEXTS)]
    whole = heard(model.generate(requests))
    monkeypatch.setattr(
        "nextword.engine.torch_driver.CACHE_BYTES", 512 * 2 * 20
    )  # two short rows, or one long
    assert (model.driver.rows(20), model.driver.rows(128)) == (2, 1)
    small = heard(model.generate(requests))
    assert small.ids == whole.ids
    assert [event.request for event in small.events] != [event.request for event in whole.events]


def test_a_prompt_longer_than_a_chunk_reads_the_same(tiny_model, tokenizer, heard, monkeypatch):
    model, request = wrap(tiny_model, tokenizer), greedy(TEXTS[1] * 2, "long", n=8)
    other = greedy("x", "short", n=8)
    whole = heard(model.generate([request, other]))
    monkeypatch.setattr("nextword.engine.torch_driver.CHUNK", 7)
    pieces = heard(model.generate([request, other]))
    assert pieces.ids == whole.ids
    assert pieces.logprobs["long"] == pytest.approx(whole.logprobs["long"], abs=1e-4)


def test_events_of_a_batch_come_interleaved(model):
    events = model.generate([greedy("a", "a", n=3), greedy("b", "b", n=3)])
    order = [event.request for event in events if isinstance(event, Token)]
    assert order == ["a", "b", "a", "b", "a", "b"]


def test_urgent_requests_run_first(tiny_model, tokenizer):
    model = wrap(tiny_model, tokenizer, batch=1)
    events = model.generate([greedy("a", "later", n=2), greedy("b", "urgent", n=2, priority=5)])
    assert next(iter(events)).request == "urgent"


def test_the_same_seed_draws_the_same_text_and_another_does_not(model, heard):
    def draw(seed):
        request = Request("def", Sampling(max_new_tokens=15), seed=seed, id="r")
        return heard(model.generate([request])).ids["r"]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_a_stop_string_ends_the_text_before_it_wherever_tokens_end(model, heard):
    text = alone(model, heard, greedy("def", "r"))[1]
    stop = text[3:6]
    result = heard(model.generate([greedy("def", "r", stop=(stop,))]))
    assert result.text.get("r", "") == text[: text.index(stop)]
    assert result.end["r"].reason == "stop"


def test_an_end_token_ends_the_text_and_says_nothing(tiny_model, tokenizer, heard):
    model = wrap(tiny_model, tokenizer)
    ids = alone(model, heard, greedy("def", "r"))[0]
    model.ends = frozenset([ids[4]])
    cut = ids.index(ids[4]) + 1
    result = heard(model.generate([greedy("def", "r")]))
    assert (result.ids["r"], result.end["r"].reason) == (ids[:cut], "stop")
    assert result.end["r"].usage.completion_tokens == cut


def test_usage_counts_what_was_read_and_written(model, tokenizer, heard):
    result = heard(model.generate([greedy("An error", "r", n=7)]))
    assert result.end["r"].usage.prompt_tokens == 1 + len(tokenizer.encode("An error"))
    assert result.end["r"].usage.completion_tokens == 7


def test_a_text_that_fills_the_context_ends_by_length(model, heard):
    result = heard(model.generate([greedy([5] * 120, "r", n=500)]))
    assert (len(result.ids["r"]), result.end["r"].reason) == (8, "length")


def test_no_new_tokens_asked_for_are_none_made(model, heard):
    result = heard(model.generate([greedy("def", "r", n=0)]))
    assert (result.ids, result.end["r"].reason) == ({}, "length")


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([5] * 129, "the prompt has 129 tokens, the context 128; shorten it"),
        ([512], "token 512 is not in the vocabulary of 512"),
        ([-1], "token -1 is not"),
        ([], "the prompt is empty"),
    ],
)
def test_a_prompt_that_cannot_be_continued_fails_alone(model, heard, prompt, message):
    result = heard(model.generate([greedy(prompt, "bad"), greedy("def", "good", n=3)]))
    assert isinstance(result.end["bad"].error, BadInput)
    assert message in str(result.end["bad"].error)
    assert isinstance(result.end["good"], Done)
    assert len(result.ids["good"]) == 3


def test_a_grammar_is_refused_by_a_model_without_grammars(model, heard):
    result = heard(model.generate([Request("a", grammar="root ::= x", id="g")]))
    assert "grammar" in str(result.end["g"].error)


def test_a_cancelled_request_ends_and_the_others_go_on(model, heard):
    events, seen = model.generate([greedy("a", "stays", n=10), greedy("b", "goes", n=10)]), []
    for event in events:
        seen.append(event)
        if event.request == "goes" and sum(other.request == "goes" for other in seen) == 3:
            model.cancel("goes")
    result = heard(seen)
    assert (len(result.ids["goes"]), result.end["goes"].reason) == (3, "cancelled")
    assert (len(result.ids["stays"]), result.end["stays"].reason) == (10, "length")


def test_cancelling_an_unknown_request_is_nothing(model):
    model.cancel("nobody")


def test_a_broken_model_fails_its_requests_with_one_line(tiny_model, tokenizer, heard):
    with torch.no_grad():
        tiny_model.lm_head.weight.fill_(math.nan)
    result = heard(wrap(tiny_model, tokenizer).generate([greedy("a", "r")]))
    assert isinstance(result.end["r"], Failed)
    assert isinstance(result.end["r"].error, Failure)


def test_another_request_may_run_between_two_events(model, heard):
    inner = []
    for event in model.generate([greedy("a", "outer", n=3)]):
        if isinstance(event, Token):
            inner.append(alone(model, heard, greedy("b", "inner", n=3))[0])
            model.score("a", "b")
    assert len(inner) == 3
    assert inner[0] == inner[1] == inner[2]


def test_threads_do_not_disturb_one_another(model, heard):
    expected = {text: alone(model, heard, greedy(text, "r"))[0] for text in TEXTS}
    found = {}

    def work(text):
        found[text] = alone(model, heard, greedy(text, f"r-{text}"))[0]

    threads = [threading.Thread(target=work, args=(text,)) for text in TEXTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_scores_are_the_log_probabilities_that_generation_reports(model, heard):
    result = heard(model.generate([greedy("An error", "r", n=12)]))
    ids = model.vocabulary.encode("An error", bos=True)
    assert model.score(ids, result.ids["r"]) == pytest.approx(result.logprobs["r"], abs=1e-4)


def test_scores_of_texts_are_those_of_the_whole_sequence(model, tiny_model, tokenizer, monkeypatch):
    monkeypatch.setattr("nextword.engine.torch_driver.CHUNK", 5)
    before, after = tokenizer.encode(TEXTS[1], bos=True), tokenizer.encode(TEXTS[1])
    with torch.no_grad():
        scores = tiny_model(torch.tensor([before + after]))[0].log_softmax(-1).numpy()
    expected = [scores[len(before) - 1 + n, id] for n, id in enumerate(after)]
    assert model.score(TEXTS[1], TEXTS[1]) == pytest.approx(expected, abs=1e-4)


def test_scoring_nothing_is_nothing_and_too_much_is_refused(model):
    assert model.score("a", "") == []
    with pytest.raises(BadInput, match="do not fit the context of 128"):
        model.score([5] * 100, [5] * 29)
    with pytest.raises(BadInput, match="not in the vocabulary"):
        model.score([5], [99999])


def test_the_likeliest_tokens_are_reported_with_each(model, tiny_model, tokenizer):
    request = Request("def", Sampling(temperature=0, max_new_tokens=3, top_logprobs=5), id="r")
    tokens = [event for event in model.generate([request]) if isinstance(event, Token)]
    for token in tokens:
        assert len(token.top) == 5
        assert (token.top[0].id, token.top[0].logprob) == (token.id, token.logprob)
        assert [other.logprob for other in token.top] == sorted((o.logprob for o in token.top), reverse=True)


def test_next_words_are_the_softmax_of_the_last_logits(model, tiny_model, tokenizer):
    words = next_words(model, "def", count=512)
    with torch.no_grad():
        expected = tiny_model(torch.tensor([tokenizer.encode("def", bos=True)]))[0, -1].softmax(-1)
    offered = [id for id in range(512) if id not in tokenizer.special.values() or id in model.ends]
    assert [p for _, p in words] == pytest.approx(sorted(expected[offered].tolist(), reverse=True), abs=1e-5)


def test_of_special_tokens_only_those_that_end_a_text_are_offered(model, tokenizer):
    offered = {text for text, _ in next_words(model, "", count=512)}
    assert offered & tokenizer.special.keys() == {"<|eos|>", "<|end|>"}


def test_in_a_conversation_every_token_is_offered(model, tokenizer):
    tokenizer.config["chat_template"] = "{{ messages[0].content }}"
    asked = Conversation([Message("user", "def")])
    request = Request(asked, Sampling(temperature=0, max_new_tokens=1, top_logprobs=512), id="r")
    (token,) = [event for event in model.generate([request]) if isinstance(event, Token)]
    assert sorted(other.id for other in token.top) == list(range(512))


def test_an_empty_prompt_is_the_beginning_of_a_document(model, tiny_model, tokenizer):
    with torch.no_grad():
        expected = tiny_model(torch.tensor([[tokenizer.bos]]))[0, -1].softmax(-1)
    likeliest = max(expected[id].item() for id in range(tokenizer.vocab_size) if tokenizer.token_bytes(id))
    words = [(text, p) for text, p in next_words(model, "", count=512) if text not in tokenizer.special]
    assert words[0][1] == pytest.approx(likeliest, abs=1e-5)


@pytest.mark.parametrize("count", [0, -1])
def test_no_next_words_is_not_a_question(model, count):
    with pytest.raises(BadInput, match=f"count is {count}; give at least 1"):
        next_words(model, "def", count)


def test_next_words_of_a_prompt_too_long_raise_its_error(model):
    with pytest.raises(BadInput, match="the context 128"):
        next_words(model, "word " * 500)


def test_weights_in_bf16_give_nearly_the_same_distribution(tiny_model, tokenizer):
    words = dict(next_words(wrap(tiny_model, tokenizer), "An error", count=512))
    tiny_model.to(torch.bfloat16)
    from nextword.model.llama import rope_frequencies

    tiny_model.frequencies = rope_frequencies(tiny_model.config)
    rounded = dict(next_words(wrap(tiny_model, tokenizer), "An error", count=512))
    assert sum(abs(p - rounded[text]) for text, p in words.items()) < 0.2


def test_a_model_whose_embedding_is_padded_never_says_a_padding_token(tiny_config, tokenizer, heard):
    from dataclasses import replace

    from nextword.model.llama import Llama

    wide = Llama(replace(tiny_config, vocab_size=520))
    wide.initialise(0)
    with torch.no_grad():
        wide.lm_head.weight[512:] = wide.lm_head.weight[:512].abs().max() * 100
    ids = heard(wrap(wide, tokenizer).generate([greedy("def", "r")])).ids["r"]
    assert max(ids) < 512


def test_a_tokenizer_larger_than_the_model_is_refused(tiny_config, tokenizer):
    from dataclasses import replace

    from nextword.model.llama import Llama

    with pytest.raises(BadInput, match="the tokenizer has 512 tokens, the model 500"):
        wrap(Llama(replace(tiny_config, vocab_size=500)), tokenizer)


def test_generation_leaves_gradients_on_for_its_caller(tiny_model, tokenizer):
    model = wrap(tiny_model, tokenizer)
    for _ in model.generate([greedy("a", "r", n=2)]):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
    assert not np.isnan(model.score("a", "b")[0])
