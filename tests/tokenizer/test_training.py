import json

import jinja2
import pytest

from nextword.common.errors import BadInput
from nextword.common.records import Document, write_documents
from nextword.data.sentences import is_korean
from nextword.tokenizer.special import SPECIALS
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.tokenizer.training import (
    TokenizerSettings,
    bytes_per_token,
    tokenizer_of_clean,
    train_tokenizer,
)
from tests.tokenizer.conftest import quiet

KOREAN = [
    "다음 낱말을 맞히는 모델입니다. 낱말을 하나씩 이어 붙입니다." * 3,
    "파일 두 개로 이루어진 언어 모델입니다." * 3,
]


def test_the_same_texts_give_the_same_files(tmp_path, folder, texts):
    train_tokenizer(TokenizerSettings(vocab_size=1200), texts, tmp_path / "again", quiet())
    for file in folder.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_vocabulary_has_the_size_asked_for(tokenizer):
    assert tokenizer.vocab_size == 1200


def test_a_tiny_text_gives_a_smaller_vocabulary_and_still_every_byte(tmp_path):
    report = train_tokenizer(TokenizerSettings(), ["tiny"], tmp_path / "t", quiet())
    assert report.vocab_size < 256 + len(SPECIALS) + 4
    assert (
        Tokenizer.load(tmp_path / "t").decode(Tokenizer.load(tmp_path / "t").encode("한 tiny 🙂"))
        == "한 tiny 🙂"
    )


def test_weighing_korean_up_makes_it_cheaper(tmp_path, texts):
    english = [text for text in texts if not is_korean(text)]
    costs = []
    for share in (0.01, 0.3):
        settings = TokenizerSettings(vocab_size=700, korean_share=share)
        train_tokenizer(settings, english + KOREAN, tmp_path / str(share), quiet())
        costs.append(bytes_per_token(Tokenizer.load(tmp_path / str(share)), KOREAN))
    assert costs[1] > 1.5 * costs[0]


def test_the_report_measures_both_languages_on_unseen_text(folder, tokenizer):
    report = json.loads((folder / "tokenizer.report.json").read_text())
    assert report["sha256"] == tokenizer.fingerprint
    assert report["measured_unseen"] == {"en": True, "ko": True}
    assert 1 < report["bytes_per_token"]["ko"] < 6
    assert 1 < report["bytes_per_token"]["en"] < 6


def test_text_with_special_tokens_in_it_teaches_none(tmp_path):
    train_tokenizer(TokenizerSettings(), ["<|end|> and <|bos|> " * 50], tmp_path / "t", quiet())
    tokenizer = Tokenizer.load(tmp_path / "t")
    assert tokenizer.is_ours
    assert not set(tokenizer.encode("<|end|>")) & set(tokenizer.special.values())


def test_the_stage_learns_from_the_training_split_alone(tmp_path):
    for split, text in (("train", "spam and eggs " * 99), ("heldout", "다음 단어 " * 99)):
        write_documents(tmp_path / "clean" / f"{split}.jsonl.zst", [Document.of(text, "a")])
    report = tokenizer_of_clean(
        TokenizerSettings(vocab_size=400), tmp_path / "clean", tmp_path / "t", quiet()
    )
    assert report.training_bytes == {"en": 14 * 99, "ko": 0}


@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_no_text_is_refused(tmp_path, texts):
    with pytest.raises(BadInput, match="no text to learn a tokenizer from"):
        train_tokenizer(TokenizerSettings(), texts, tmp_path / "t", quiet())


@pytest.mark.parametrize("settings", [TokenizerSettings(vocab_size=287), TokenizerSettings(korean_share=1.0)])
def test_settings_that_cannot_be_met_are_refused(tmp_path, settings):
    with pytest.raises(BadInput, match="choose at least 288 tokens"):
        train_tokenizer(settings, ["text"], tmp_path / "t", quiet())


def test_a_folder_that_holds_something_else_is_kept(tmp_path, texts):
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("kept")
    with pytest.raises(BadInput, match=r"not an earlier output \(notes\.txt\)"):
        train_tokenizer(TokenizerSettings(), texts, tmp_path, quiet())
    assert (tmp_path / "notes.txt").read_text() == "kept"


def test_the_chat_template_writes_roles_and_ends(tokenizer):
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(tokenizer.chat_template)
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    text = template.render(messages=messages, bos_token="<|bos|>", add_generation_prompt=True)
    assert text == "<|bos|><|system|>S<|end|><|user|>U<|end|><|assistant|>"
    assert all(name in tokenizer.special for name in ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"))
