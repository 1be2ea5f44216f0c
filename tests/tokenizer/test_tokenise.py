import json
import resource

import numpy as np
import pytest

from nextword.common.errors import BadInput, Failure
from nextword.common.records import Document, write_documents
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenise import TokeniseSettings, tokenise
from tests.tokenizer.conftest import quiet


@pytest.fixture
def clean(tmp_path, texts):
    """A `clean` folder: three texts held out, the others to train on."""
    documents = [Document.of(text, str(number)) for number, text in enumerate(texts)]
    write_documents(tmp_path / "clean" / "train.jsonl.zst", documents[3:])
    write_documents(tmp_path / "clean" / "heldout.jsonl.zst", documents[:3])
    return tmp_path / "clean"


def test_each_document_lies_between_bos_and_eos(tmp_path, clean, folder, tokenizer, texts):
    tokenise(TokeniseSettings(), clean, folder, tmp_path / "tokens", quiet())
    shards = Shards.open(tmp_path / "tokens", "train", fingerprint=tokenizer.fingerprint)
    found = [(ids.tolist(), size) for ids, size in shards.iterate()]
    assert found == [
        ([tokenizer.bos, *tokenizer.encode(text), tokenizer.eos], len(text.encode())) for text in texts[3:]
    ]
    assert Shards.open(tmp_path / "tokens", "heldout").documents == 3


def test_the_index_counts_what_was_written(tmp_path, clean, folder, texts):
    index = tokenise(TokeniseSettings(), clean, folder, tmp_path / "tokens", quiet())
    assert index == json.loads((tmp_path / "tokens" / "tokens.json").read_text())
    heldout = index["splits"]["heldout"]
    assert heldout["documents"] == 3
    assert heldout["bytes"] == sum(len(text.encode()) for text in texts[:3])


def test_threads_and_shards_change_no_token(tmp_path, clean, folder):
    for name, settings in {
        "one": TokeniseSettings(threads=1),
        "many": TokeniseSettings(threads=4, shard_tokens=1000),
    }.items():
        tokenise(settings, clean, folder, tmp_path / name, quiet())
    one, many = (Shards.open(tmp_path / name, "train") for name in ("one", "many"))
    assert len(one.shards) == 1 < len(many.shards)
    assert np.array_equal(one.read(0, one.tokens), many.read(0, many.tokens))


def test_an_empty_split_is_an_empty_shard(tmp_path, folder):
    write_documents(tmp_path / "clean" / "train.jsonl.zst", [Document.of("text", "a")])
    write_documents(tmp_path / "clean" / "heldout.jsonl.zst", [])
    tokenise(TokeniseSettings(), tmp_path / "clean", folder, tmp_path / "tokens", quiet())
    assert Shards.open(tmp_path / "tokens", "heldout").tokens == 0


def test_a_folder_without_clean_text_is_named(tmp_path, folder):
    with pytest.raises(BadInput, match=r"no train\.jsonl\.zst here; run `nextword clean` first"):
        tokenise(TokeniseSettings(), tmp_path, folder, tmp_path / "tokens", quiet())


def test_tokens_are_written_anew_but_nothing_else_is_replaced(tmp_path, clean, folder):
    for _ in range(2):
        tokenise(TokeniseSettings(), clean, folder, tmp_path / "tokens", quiet())
    (tmp_path / "tokens" / "notes.txt").write_text("kept")
    with pytest.raises(BadInput, match=r"not an earlier output \(notes\.txt\)"):
        tokenise(TokeniseSettings(), clean, folder, tmp_path / "tokens", quiet())
    with pytest.raises(BadInput, match="lies in what it would be made from"):
        tokenise(TokeniseSettings(), clean, folder, clean / "tokens", quiet())
    assert (tmp_path / "tokens" / "notes.txt").read_text() == "kept"


def test_a_full_disk_leaves_the_previous_tokens(tmp_path, clean, folder):
    tokenise(TokeniseSettings(), clean, folder, tmp_path / "tokens", quiet())
    before = {path.name: path.read_bytes() for path in (tmp_path / "tokens").iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(Failure, match="cannot be written"):
            tokenise(TokeniseSettings(), clean, folder, tmp_path / "tokens", quiet())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in (tmp_path / "tokens").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
