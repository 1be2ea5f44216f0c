import json
import random
import shutil
from hashlib import sha256
from pathlib import Path

import hypothesis.strategies as st
import pytest
import tokenizers
from hypothesis import given

from nextword.common.errors import BadInput, Corrupt
from nextword.tokenizer import engines
from nextword.tokenizer.special import SPECIALS
from nextword.tokenizer.tokenizer import IncrementalDecoder, Tokenizer

SCRIPTS = {
    "ascii": (0x20, 0x7E),
    "latin": (0xA0, 0x24F),
    "hangul": (0xAC00, 0xD7A3),
    "jamo": (0x1100, 0x11FF),
    "han": (0x4E00, 0x9FFF),
    "emoji": (0x1F300, 0x1FAFF),
    "control": (0x00, 0x1F),
    "spaces": (0x2000, 0x200F),
    "any": (0x00, 0x10FFFF),
}


def random_strings(count: int, seed: int = 0) -> list[str]:
    """Strings that mix scripts, spaces, digits and contractions."""
    draw = random.Random(seed)
    scripts = list(SCRIPTS.values())
    strings = []
    for _ in range(count):
        parts = []
        for _ in range(draw.randint(1, 8)):
            low, high = draw.choice(scripts)
            codes = (draw.randint(low, high) for _ in range(draw.randint(1, 8)))
            parts.append("".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000))
            parts.append(
                draw.choice(["", " ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "12345", "한국어", ". "])
            )
        strings.append("".join(parts))
    return strings


@pytest.fixture(scope="session")
def reference(folder: Path) -> tokenizers.Tokenizer:
    """The library that trained it, reading the same file."""
    return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


@given(st.text())
def test_any_text_comes_back_exactly(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids) == text.encode()


@given(st.text(alphabet=st.sampled_from(" \t\n\r  \u3000aA1!.'sS한가🙂é\u0301"), max_size=40))
def test_ids_are_those_of_the_library_that_trained_it(tokenizer, reference, text):
    assert tokenizer.encode(text) == reference.encode(text).ids


def test_ids_agree_on_ten_thousand_random_strings(tokenizer, reference):
    strings = random_strings(10_000)
    assert tokenizer.encode_batch(strings) == [found.ids for found in reference.encode_batch(strings)]


@pytest.mark.slow
def test_ids_agree_on_every_character_of_unicode(tokenizer, reference):
    """The two engines bring regex libraries of their own, whose tables of letters and spaces must be one."""
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for start in range(0, len(characters), 1 << 14):
        text = "".join(f"a{c}{c}1{c}2 {c}!{c}\n{c}  {c}'{c}" for c in characters[start : start + (1 << 14)])
        assert tokenizer.encode(text) == reference.encode(text).ids, hex(ord(characters[start]))


def test_ids_agree_on_the_texts_it_learned_from(tokenizer, reference, texts):
    assert tokenizer.encode_batch(texts) == [reference.encode(text).ids for text in texts]


def test_every_byte_alone_is_a_token(tokenizer):
    singles = {tokenizer.token_bytes(id) for id in range(256)}
    assert singles == {bytes([byte]) for byte in range(256)}


def test_a_lone_surrogate_becomes_the_replacement_character(tokenizer):
    assert tokenizer.decode(tokenizer.encode("a\ud800b")) == "a\ufffdb"


def test_bos_is_put_before_on_request(tokenizer):
    assert tokenizer.encode("hello", bos=True) == [tokenizer.bos, *tokenizer.encode("hello")]


def test_special_tokens_are_the_last_ids_in_order(tokenizer):
    first = tokenizer.vocab_size - len(SPECIALS)
    assert list(tokenizer.special.items()) == [(name, first + n) for n, name in enumerate(SPECIALS)]
    assert (tokenizer.bos, tokenizer.eos, tokenizer.pad) == (first, first + 1, first + 2)


@given(st.lists(st.sampled_from([*SPECIALS, "<|", "|>", "a", " ", "<|end|", "한"]), max_size=8).map("".join))
def test_text_that_spells_a_special_token_stays_text(tokenizer, text):
    ids = tokenizer.encode(text)
    assert not set(ids) & set(tokenizer.special.values())
    assert tokenizer.decode(ids) == text


def test_special_tokens_are_read_in_text_that_is_ours(tokenizer):
    ids = tokenizer.encode("<|user|>Hi<|end|>", special=True)
    assert ids == [tokenizer.special["<|user|>"], *tokenizer.encode("Hi"), tokenizer.special["<|end|>"]]
    assert tokenizer.decode(ids) == "Hi"
    assert tokenizer.decode(ids, special=True) == "<|user|>Hi<|end|>"
    assert tokenizer.decode_bytes(ids) == b"Hi"


def test_an_id_beyond_the_vocabulary_is_refused(tokenizer):
    with pytest.raises(BadInput, match=r"has no token 1200 \(its vocabulary has 1,200\)"):
        tokenizer.decode([tokenizer.vocab_size])


@pytest.mark.parametrize(
    "character", ["a", "A", " ", "\n", "\t", "1", "!", "가", "漢", "🙂", "\u3000", " \n"]
)
def test_a_megabyte_of_one_character_is_encoded(tokenizer, character):
    text = character * 1_000_000
    assert tokenizer.decode_bytes(tokenizer.encode(text)) == text.encode()


@given(
    st.text(alphabet=st.sampled_from(" \n\r\ta1!'s가\u3000"), max_size=60),
    st.integers(1, 6),
)
def test_cutting_long_whitespace_by_hand_changes_no_id(tokenizer, text, long_run):
    known = {tokenizer.token_bytes(id): id for id in range(tokenizer.vocab_size - len(SPECIALS))}
    assert engines.bounded(known, long_run)(text) == tokenizer.encode(text)


@given(st.lists(st.integers(0, 1199), max_size=30))
def test_streamed_text_joins_to_the_decoded_whole(tokenizer, ids):
    decoder = IncrementalDecoder(tokenizer)
    streamed = "".join([*(decoder.push(id) for id in ids), decoder.finish()])
    assert streamed == tokenizer.decode(ids)


def test_streaming_holds_a_character_back_until_it_is_whole(tokenizer):
    decoder = IncrementalDecoder(tokenizer)
    byte_ids = {tokenizer.token_bytes(id): id for id in range(256)}
    shown = [decoder.push(byte_ids[bytes([byte])]) for byte in "🙂".encode()]
    assert shown == ["", "", "", "🙂"]


def test_the_fingerprint_is_the_hash_of_the_file(tokenizer, folder):
    assert tokenizer.fingerprint == sha256((folder / "tokenizer.json").read_bytes()).hexdigest()


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"tokenizer\.json: no tokenizer here"):
        Tokenizer.load(tmp_path)


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(tmp_path_factory, folder, where, bit):
    with pytest.raises(Corrupt):
        Tokenizer.load(damaged(folder, tmp_path_factory, where, bit))


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_without_the_report_a_flipped_bit_is_found_or_harmless(tmp_path_factory, folder, where, bit):
    copy = damaged(folder, tmp_path_factory, where, bit)
    (copy / "tokenizer.report.json").unlink()
    try:
        tokenizer = Tokenizer.load(copy)
    except Corrupt:
        return
    assert tokenizer.decode(tokenizer.encode("안녕 hello")) == "안녕 hello"


def damaged(folder: Path, factory: pytest.TempPathFactory, where: float, bit: int) -> Path:
    """A copy of the folder whose tokenizer.json has one bit flipped."""
    copy = factory.mktemp("damaged") / "tokenizer"
    shutil.copytree(folder, copy)
    data = bytearray((copy / "tokenizer.json").read_bytes())
    data[int(where * len(data))] ^= 1 << bit
    (copy / "tokenizer.json").write_bytes(data)
    return copy


@given(st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_found(tmp_path_factory, folder, where):
    copy = tmp_path_factory.mktemp("cut")
    data = (folder / "tokenizer.json").read_bytes()
    (copy / "tokenizer.json").write_bytes(data[: int(where * len(data.rstrip()))])
    with pytest.raises(Corrupt, match="not a sound tokenizer"):
        Tokenizer.load(copy)


@pytest.mark.parametrize("content", ["[]", "3", "null", "{}", '{"added_tokens": [], "model": {}}'])
def test_json_that_is_no_tokenizer_is_refused(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(Corrupt):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("token", [7, True, ["<|bos|>"], {"content": 7}, {}, "<|nobody|>"])
def test_a_name_that_is_no_special_token_is_refused_by_file_and_field(tmp_path, folder, token):
    copied = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copied / "tokenizer_config.json").read_text())
    (copied / "tokenizer_config.json").write_text(json.dumps(config | {"bos_token": token}))
    with pytest.raises(Corrupt, match=r"tokenizer_config\.json: bos_token is .*, which is no special token"):
        Tokenizer.load(copied)


@pytest.mark.parametrize("token", [None, {"content": "<|bos|>"}])
def test_a_name_may_be_missing_or_stand_in_an_object(tmp_path, folder, tokenizer, token):
    copied = shutil.copytree(folder, tmp_path / "copy")
    (copied / "tokenizer_config.json").write_text(json.dumps({"bos_token": token}))
    assert Tokenizer.load(copied).bos == (tokenizer.bos if token else None)


def test_merges_out_of_order_are_refused(tmp_path, folder):
    description = json.loads((folder / "tokenizer.json").read_text())
    merges = description["model"]["merges"]
    merges[0], merges[1] = merges[1], merges[0]
    (tmp_path / "tokenizer.json").write_text(json.dumps(description))
    with pytest.raises(Corrupt, match="token 256 is not what its merge makes"):
        Tokenizer.load(tmp_path)


def test_a_merge_that_tiktoken_would_make_from_another_pair_is_refused():
    # "abc" is listed as ab + c, but the earlier token bc makes tiktoken join a + bc: ids could differ.
    alphabet = {engines.bytelevel.from_bytes(bytes([byte])): byte for byte in range(256)}
    model = {
        "vocab": {**alphabet, "bc": 256, "ab": 257, "abc": 258},
        "merges": [["b", "c"], ["a", "b"], ["ab", "c"]],
    }
    with pytest.raises(ValueError, match="token 258"):
        engines.ranks(model)
