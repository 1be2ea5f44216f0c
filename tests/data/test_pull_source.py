"""What a person types to say what to pull, and what a card says of its licence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextword.common.errors import BadInput, NextwordError
from nextword.data.hub import licence, read_source
from nextword.data.pull import PullSettings, pull
from tests.data.hub_site import CARD


@pytest.mark.parametrize(
    ("text", "model", "revision", "file"),
    [
        ("owner/tiny", "owner/tiny", "main", ""),
        ("gpt2", "gpt2", "main", ""),
        ("https://huggingface.co/owner/tiny", "owner/tiny", "main", ""),
        ("https://huggingface.co/owner/tiny/tree/v1.0", "owner/tiny", "v1.0", ""),
        ("https://huggingface.co/o/t/blob/main/sub/a.gguf?x=1", "o/t", "main", "sub/a.gguf"),
        (
            "https://huggingface.co/o/t/resolve/refs%2Fpr%2F1/a.safetensors",
            "o/t",
            "refs/pr/1",
            "a.safetensors",
        ),
        ("https://example.org/a/b.gguf", "", "", "b.gguf"),
    ],
)
def test_what_a_person_types_is_understood(text, model, revision, file):
    source = read_source(text)
    assert (source.model, source.revision, source.file) == (model, revision, file)


def test_a_revision_with_slashes_is_one_part_of_the_address():
    source = read_source("o/t", revision="refs/pr/1")
    assert source.address("config.json") == "https://huggingface.co/o/t/resolve/refs%2Fpr%2F1/config.json"


@pytest.mark.parametrize(
    "text",
    [
        *("", "a b", "../x", "owner/../x", "a/b/c", "ftp://x/y.gguf", "http://", "-x/y", "owner/na\nme"),
        *("https://user:secret@example.org/a.gguf", "https://example.org/", "https://example.org/a.bin"),
        *("https://huggingface.co/", "https://huggingface.co/a/b/blob/main/x.bin", "https://x.org/.gguf"),
        "https://huggingface.co/a/b/resolve/main/../../c.gguf",
    ],
)
def test_what_cannot_be_meant_is_refused(text):
    with pytest.raises(BadInput) as caught:
        read_source(text)
    assert "secret" not in str(caught.value)


def test_a_pickled_file_is_refused_for_what_it_can_do():
    for text in ("https://example.org/a.bin", "https://huggingface.co/o/t/blob/main/pytorch_model.pt"):
        with pytest.raises(BadInput, match=r"pickled, which can run code .* look for the same in .gguf or"):
            read_source(text)


@settings(max_examples=200)
@given(st.text(max_size=40) | st.text(max_size=30).map(lambda tail: "https://huggingface.co/" + tail))
def test_any_text_is_a_source_or_ends_in_one_line(text):
    try:
        source = read_source(text)
    except (NextwordError, ValueError) as error:
        assert isinstance(error, NextwordError), text
    else:
        assert "/" not in source.name and source.name not in ("", ".", "..")


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (CARD, "llama2, https://example.org/terms"),
        ('---\nlicense: "mit"\n---\n', "mit"),
        ("---\ntags: [a]\n---\nlicense: mit\n", ""),
        ("# no head\nlicense: mit", ""),
        ("", ""),
        ("---\nlicense: other\nlicense_name: own\n---", "other, own"),
    ],
)
def test_the_licence_is_what_the_head_of_the_card_names(card, expected):
    assert licence(card) == expected


@given(st.text(max_size=200).map(lambda text: "---\n" + text))
def test_any_card_has_a_licence_or_none(card):
    assert isinstance(licence(card), str)


def test_the_hub_is_the_one_that_the_environment_names(hub, tmp_path):
    environment = {"HF_ENDPOINT": hub.url + "/"}
    made = pull(PullSettings(allow_private=True), "owner/tiny", tmp_path / "model", environment=environment)
    assert made.source == f"{hub.url}/owner/tiny"
