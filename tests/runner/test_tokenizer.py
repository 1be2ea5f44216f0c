"""run.c turns any text into the ids that `tokenizers` and `tiktoken` give; control tokens only by request."""

import ctypes
import itertools
import json
import random

import numpy as np
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as some
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from nextword.common.errors import BadInput
from nextword.runner import unicode_table
from nextword.runner.library import RunC

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CORPUS = [
    "The quick brown fox can't jump over 1234567 lazy dogs; we'll see, they've said. " * 20,
    "def f(x):\n    return x ** 2  # twice\n\n\nclass A:\n\tpass\r\n" * 20,
    "나라의 말이 중국과 달라 문자와 서로 통하지 아니하므로 어리석은 백성이 말하고자 하는 바가 있어도 " * 20,
    "天地玄黃 宇宙洪荒。日月盈昃,辰宿列張。 こんにちは世界 " * 20,
    "naïve café — “quoted” … 😀👩‍👩‍👧‍👦🇰🇷 ½ Ⅷ ١٢٣ x² " * 20,
]
TRICKY = [
    "",
    " ",
    "  ",
    "\n",
    " \n ",
    "\r\n\r\n",
    "a\n\n\n b",
    "   leading",
    "trailing   ",
    "tabs\t\tand  spaces",
    "I'm I'M 'S 'ſ 'ſx x'll'LL'Ve 're's ''s 'x '",
    "1234567890 ١٢٣٤ ½¾ Ⅷ",
    "a1b22c333d4444",
    "!!!???\r\n\r\nwhat",
    " !x ?y\n",
    "\u00a0\u2003\u3000wide\u2028lines\u2029\x85x\x1c\x1d",
    "e\u0301 \u0300\u0301 क्षि 한글 각",
    "\x00\x01\x7f\x80\xff",
    "😀😀 😀\n😀",
    "\ufeff\ufffd\U0010ffff\U000e0001",
    "▁ under▁score",
    "<|bos|><|end|> <|user|>",
]


def text_of_random_points(dice, length):
    """Any code points, those of everyday scripts more often."""
    ranges = [
        (0, 128),
        (0, 128),
        (0x20, 0x21),
        (0xA0, 0x250),
        (0xAC00, 0xD7A4),
        (0x4E00, 0x9FFF),
        (0x1F300, 0x1FAFF),
    ]
    ranges += [(0x2000, 0x2100), (0, 0xD800), (0xE000, 0x110000), (9, 14)]
    return "".join(chr(dice.randrange(*dice.choice(ranges))) for _ in range(length))


def texts(count):
    dice = random.Random(5)
    return TRICKY + [text_of_random_points(dice, dice.randrange(1, 40)) for _ in range(count)]


def train(pattern, whole_words):
    trained = Tokenizer(models.BPE(ignore_merges=whole_words))
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    trained.train_from_iterator(CORPUS, trainer)
    return trained


def parts(trained):
    """Its tokens in order of id, and its merges as "left right"."""
    state = json.loads(trained.to_str())["model"]
    tokens = sorted(state["vocab"], key=state["vocab"].__getitem__)
    return tokens, [" ".join(pair) if isinstance(pair, list) else pair for pair in state["merges"]]


def open_bpe(tools, folder, trained, pre):
    tokens, merges = parts(trained)

    def keys(writer):
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre)
        writer.add_token_list(tokens + tools.SPECIALS)
        writer.add_token_types([1] * len(tokens) + [3] * len(tools.SPECIALS))
        writer.add_token_merges(merges)

    shape = tools.Shape(
        vocab=len(tokens) + len(tools.SPECIALS), hidden=32, layers=1, heads=2, kv_heads=2, head_dim=16
    )
    tools.write_gguf(folder / f"{pre}.gguf", shape, tokenizer=keys)
    return RunC.open(folder / f"{pre}.gguf", 1, 16, 1)


@pytest.fixture(scope="module")
def llama3():
    return train(LLAMA3, True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tokenizers")


@pytest.fixture(scope="module")
def llama3_c(library, tools, folder, llama3):
    with open_bpe(tools, folder, llama3, "llama-bpe") as model:
        yield model


def test_the_unicode_tables_in_run_c_are_those_that_the_script_makes():
    source = unicode_table.SOURCE.read_text()
    assert unicode_table.generated(source) == source


def cut(library, model, text):
    raw = text.encode()
    ends = np.empty(len(raw), np.int64)
    count = library.nw_pieces(model._handle, raw, len(raw), ends.ctypes.data_as(ctypes.c_void_p), len(raw))
    starts = [0, *ends[: count - 1]]
    return [raw[start:end].decode() for start, end in zip(starts, ends[:count], strict=True)]


def test_every_code_point_is_of_the_class_that_the_regular_expression_gives_it(library, llama3_c):
    split = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    points = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    for start in range(0, len(points), 50000):
        block = "\n".join(map(chr, points[start : start + 50000]))
        assert cut(library, llama3_c, block) == [piece for piece, _ in split.pre_tokenize_str(block)]


@pytest.mark.parametrize("around", ["a'{}b", " {}1", "{}{}", "1{} ", "\n{}\n"])
def test_neighbours_are_cut_as_the_regular_expression_cuts_them(library, llama3_c, around):
    split = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    edges = set(itertools.accumulate(unicode_table.runs(unicode_table.code_points(r"[\p{L}\p{N}]"))))
    points = sorted({*range(0x250), *range(0x2000, 0x2070), *edges, *(point - 1 for point in edges)})
    block = "\n".join(around.replace("{}", chr(point)) for point in points if not 0xD800 <= point < 0xE000)
    assert cut(library, llama3_c, block) == [piece for piece, _ in split.pre_tokenize_str(block)]


def test_ids_are_those_of_tokenizers(llama3_c, llama3):
    for text in texts(1500):
        assert llama3_c.tokenize(text) == llama3.encode(text, add_special_tokens=False).ids, text


def test_ids_are_those_of_tiktoken_with_the_same_merges(llama3_c, llama3):
    count = llama3.get_vocab_size()
    ranks = {llama3_c.token_bytes(id): id for id in range(count)}
    encoding = tiktoken.Encoding("test", pat_str=LLAMA3, mergeable_ranks=ranks, special_tokens={})
    for text in texts(1500):
        assert llama3_c.tokenize(text) == encoding.encode_ordinary(text), text


def test_gpt2_pieces_are_cut_by_gpt2s_rule(library, tools, folder):
    trained = train(GPT2, False)
    with open_bpe(tools, folder, trained, "gpt-2") as model:
        for text in texts(1500):
            assert model.tokenize(text) == trained.encode(text, add_special_tokens=False).ids, text


@settings(max_examples=200, deadline=None)
@given(raw=some.binary(max_size=200))
def test_any_bytes_come_back_whole(llama3_c, raw):
    assert llama3_c.detokenize(llama3_c.tokenize(raw)) == raw


def test_text_that_spells_a_control_token_stays_text_unless_it_may_command(llama3_c):
    end = llama3_c.special_id("<|end|>")
    text = "stop <|end|> here"
    plain = llama3_c.tokenize(text)
    assert end not in plain and llama3_c.detokenize(plain) == text.encode()
    assert llama3_c.tokenize(text, special=True) == [
        *llama3_c.tokenize("stop "),
        end,
        *llama3_c.tokenize(" here"),
    ]
    assert llama3_c.special_id("<|nobody|>") is None
    assert llama3_c.token_bytes(end) == b""


def test_a_long_run_of_one_class_takes_no_longer_than_its_length(llama3_c):
    text = "ab" * 50_000  # one piece of 100,000 letters: quadratic merging would take minutes
    assert llama3_c.detokenize(llama3_c.tokenize(text)) == text.encode()


def sentencepiece_like():
    """Llama 2's tokenizer as its tokenizer.json has it: BPE over characters, bytes for the rest."""
    base = Tokenizer(models.BPE())
    base.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(vocab_size=700, show_progress=False)
    base.train_from_iterator([text.replace("\n", " ").replace("\t", " ") for text in CORPUS], trainer)
    tokens, merges = parts(base)
    order = [token for token in tokens if len(token) == 1]
    order += list(dict.fromkeys("".join(merge.split(" ")) for merge in merges))
    every = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words = [merge.replace(" ", "") for merge in merges]
    words = list(dict.fromkeys(words)) + [token for token in tokens if len(token) == 1]
    vocab = {token: id for id, token in enumerate([*every, *words])}
    same = Tokenizer(
        models.BPE(
            vocab, [tuple(m.split(" ")) for m in merges], byte_fallback=True, fuse_unk=True, unk_token="<unk>"
        )
    )
    same.normalizer = base.normalizer
    same.add_special_tokens([AddedToken(name, normalized=False) for name in every[:3]])
    return same, words


@pytest.fixture(scope="module")
def spiece():
    return sentencepiece_like()


@pytest.fixture(scope="module")
def spiece_c(library, tools, folder, spiece):
    words = spiece[1]
    shape = tools.Shape(vocab=259 + len(words), hidden=32, layers=1, heads=2, kv_heads=2, head_dim=16)
    path = folder / "spiece.gguf"
    tools.write_gguf(path, shape, tokenizer=lambda writer: tools.sentencepiece_tokenizer(writer, words))
    with RunC.open(path, 1, 16, 1) as model:
        yield model


def test_sentencepiece_ids_are_those_of_tokenizers(spiece_c, spiece):
    for text in texts(1500):
        if not text or any(name in text for name in ("<s>", "</s>", "<unk>")):
            continue
        assert spiece_c.tokenize(text) == spiece[0].encode(text, add_special_tokens=False).ids, text


def test_sentencepiece_gives_a_text_back_after_a_space(spiece_c):
    for text in TRICKY:
        if text and "▁" not in text:
            assert spiece_c.detokenize(spiece_c.tokenize(text)) == b" " + text.encode()


def test_sentencepiece_text_cannot_spell_bytes_or_control_tokens(spiece_c):
    ids = spiece_c.tokenize("</s><0x41>")
    assert 2 not in ids and spiece_c.detokenize(ids) == b" </s><0x41>"
    assert spiece_c.tokenize("a</s>b", special=True) == [*spiece_c.tokenize("a"), 2, *spiece_c.tokenize("b")]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda keys: keys.update(merges=["h e", "x y"]), r"merge 1 `x y` names no token"),
        (lambda keys: keys.update(merges=["he"]), r"merge 0 `he` names no token"),
        (lambda keys: keys.update(pre="deepseek-llm"), r"pre-tokenizer `deepseek-llm` is not one"),
        (lambda keys: keys.update(model="bert"), r"tokenizer `bert` is not one"),
        (lambda keys: keys.update(tokens=keys["tokens"][:-1]), r"does not fit its vocabulary of 265"),
        (lambda keys: keys.update(types=[1] * 3), r"do not fit its tokens"),
        (lambda keys: keys["tokens"].__setitem__(65, "zz"), r"no token for byte 65"),
        (lambda keys: keys.update(bos=9999), r"bos_token_id is 9999"),
    ],
)
def test_a_tokenizer_that_cannot_be_right_is_refused(library, tools, tmp_path, spoil, message):
    tokens = [tools.VISIBLE[byte] for byte in range(256)] + ["he", "hel", "Ġw", *tools.SPECIALS]
    keys = {"tokens": tokens, "types": [1] * 259 + [3] * 6, "merges": ["h e", "he l", "Ġ w"]}
    keys |= {"model": "gpt2", "pre": "llama-bpe", "bos": 259}
    spoil(keys)

    def write(writer):
        writer.add_tokenizer_model(keys["model"])
        writer.add_tokenizer_pre(keys["pre"])
        writer.add_token_list(keys["tokens"])
        writer.add_token_types(keys["types"])
        writer.add_token_merges(keys["merges"])
        writer.add_bos_token_id(keys["bos"])

    tools.write_gguf(tmp_path / "model.gguf", tokenizer=write)
    with pytest.raises(BadInput, match=message) as caught:
        RunC.open(tmp_path / "model.gguf", 1, 16, 1)
    assert "\n" not in str(caught.value)
