"""Pulling from a real server on loopback that behaves as a hub does, and as a bad one may."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.data import pull as pulling
from tests.data.hub_site import COMMIT, FILES, LARGE, STORED, cut, once, status

TOKEN = "hf_verysecret"


# What comes


def test_a_model_comes_whole_with_what_is_needed_and_no_pickle(fetch, tmp_path):
    made = fetch()
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        *("README.md", "config.json", "generation_config.json", "model.safetensors", "pull.json"),
        "tokenizer.json",
    ]
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == LARGE
    assert made.bytes == made.fetched == sum(len(FILES[name]) for name in made.files)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_record_says_where_it_came_from(fetch, hub, tmp_path):
    fetch()
    record = json.loads((tmp_path / "model" / "pull.json").read_text())
    assert record["source"] == f"{hub.url}/owner/tiny"
    assert (record["revision"], record["commit"]) == ("main", COMMIT)
    assert record["files"]["model.safetensors"] == hashlib.sha256(LARGE).hexdigest()
    assert record["licence"] == "llama2, https://example.org/terms"


def test_all_is_asked_for_by_the_commit_that_the_branch_is_at_today(fetch, hub):
    fetch()
    first, *then = hub.paths("hub")
    assert first == "/owner/tiny/resolve/main/config.json"
    assert all(f"/{COMMIT}" in path for path in then) and len(then) == 5  # an empty file needs no asking


def test_a_hub_that_names_no_commit_is_asked_by_the_branch(fetch, hub, tmp_path):
    hub.commit = ""
    fetch()
    assert json.loads((tmp_path / "model" / "pull.json").read_text())["commit"] == "main"
    assert "/owner/tiny/resolve/main/model.safetensors" in hub.paths("hub")


def test_a_pull_that_goes_on_still_knows_its_commit(fetch, hub, tmp_path):
    hub.faults[STORED] = cut(10)
    with pytest.raises(BadInput):
        fetch(tries=1)
    hub.faults.clear()
    assert fetch().commit == COMMIT


def test_a_listing_of_several_pages_is_read_to_its_end(fetch, hub):
    hub.page_size = 2
    assert "model.safetensors" in fetch().files


def test_shards_are_those_that_the_index_names(fetch, hub):
    del hub.files["model.safetensors"]
    shards = {f"model-0000{n}-of-00002.safetensors": LARGE[: 2000 * n] for n in (1, 2)}
    index = {"weight_map": {f"tensor {n}": name for n, name in enumerate(shards)}}
    hub.files |= {**shards, "consolidated.safetensors": LARGE}
    hub.files["model.safetensors.index.json"] = json.dumps(index).encode()
    assert set(fetch().files) & {*shards, "consolidated.safetensors"} == set(shards)


def test_a_finished_pull_is_left_without_asking(fetch, hub):
    made = fetch()
    before = len(hub.asked)
    assert fetch() == replace(made, fetched=0)
    assert len(hub.asked) == before


@pytest.mark.parametrize("again", ["v1", COMMIT])
def test_a_pull_of_a_revision_may_be_repeated_by_its_name_and_by_its_commit(fetch, hub, again):
    made = fetch(revision="v1")
    before = len(hub.asked)
    assert fetch(revision=again) == replace(made, fetched=0)
    assert len(hub.asked) == before


@pytest.mark.parametrize(("first", "then"), [("v1", ""), ("v1", "v2"), ("", "v1"), (COMMIT, "")])
def test_a_folder_of_another_revision_is_not_given_for_it(fetch, first, then):
    fetch(revision=first)
    says = rf"holds .*/owner/tiny at {first or 'main'} \(c+\), not {then or 'main'}; choose another --out"
    with pytest.raises(BadInput, match=says):
        fetch(revision=then)


def test_a_record_without_its_revision_counts_as_of_main_and_of_its_commit(fetch, tmp_path):
    fetch()
    place = tmp_path / "model" / "pull.json"
    record = json.loads(place.read_text())
    del record["revision"]
    place.write_text(json.dumps(record))
    assert fetch().fetched == fetch(revision=COMMIT).fetched == 0
    with pytest.raises(BadInput, match="not v1"):
        fetch(revision="v1")


def test_a_folder_of_another_model_is_not_touched(fetch, tmp_path):
    fetch()
    with pytest.raises(
        BadInput, match=r"holds http://.*/owner/tiny at main \(c+\), not http://.*/owner/other"
    ):
        fetch("owner/other")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="is there already"):
        fetch(out=tmp_path / "mine")


def test_one_gguf_file_of_a_model_comes_alone(fetch, hub, tmp_path):
    hub.files = {"tiny.gguf": b"GGUF" + LARGE, "README.md": b""}
    made = fetch(file="tiny.gguf", out=tmp_path / "tiny.gguf")
    assert made.path.read_bytes() == b"GGUF" + LARGE
    assert list(made.files.values()) == [hashlib.sha256(b"GGUF" + LARGE).hexdigest()]
    page = f"{hub.url}/owner/tiny/blob/main/tiny.gguf"
    assert fetch(page, out=tmp_path / "tiny.gguf").fetched == 0
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.gguf"]


def test_a_file_at_any_address_comes_too(fetch, hub, tmp_path):
    hub.files["a.gguf"] = b"GGUF" + LARGE
    made = fetch(f"http://127.0.0.1:{hub.store}/store/a.gguf?key=1", out=tmp_path / "a.gguf")
    assert made.path.read_bytes() == b"GGUF" + LARGE
    assert "key" not in made.source


# Not what it should be


def test_a_wrong_hash_is_refused_and_nothing_is_kept(fetch, hub, tmp_path):
    hub.listed["model.safetensors"] = LARGE[:-1] + b"?"
    with pytest.raises(Corrupt, match=r"model.safetensors: its SHA-256 is not the one it should have"):
        fetch()
    assert not (tmp_path / "model").exists()
    assert not list((tmp_path / ".model.pull").glob("*model.safetensors*"))


def test_a_small_file_is_checked_by_the_hash_that_git_gives_it(fetch, hub):
    hub.listed["config.json"] = FILES["config.json"].replace(b"l", b"x")
    with pytest.raises(Corrupt, match=r"config.json: its hash is not the one"):
        fetch()


@pytest.mark.parametrize("body", [LARGE[:-5], LARGE + b"more"])
def test_a_file_shorter_or_longer_than_listed_is_refused(fetch, hub, body):
    hub.listed["model.safetensors"] = body
    with pytest.raises(Corrupt, match=r"the server has 1,048,576 bytes of it, the hub lists"):
        fetch()


def test_a_model_with_pickled_weights_only_is_refused(fetch, hub):
    del hub.files["model.safetensors"]
    with pytest.raises(BadInput, match=r"weights are pickled \(.bin\), which can run code"):
        fetch()
    assert hub.paths() == []


def test_a_model_of_gguf_files_says_which_there_are(fetch, hub):
    hub.files = {"a.gguf": b"GGUF", "b.gguf": b"GGUF"}
    with pytest.raises(BadInput, match=r"choose with --file: a.gguf, b.gguf"):
        fetch()
    with pytest.raises(BadInput, match=r"has no file 'c.gguf'; it has a.gguf, b.gguf"):
        fetch(file="c.gguf")


def test_a_model_that_cannot_be_opened_is_refused_before_its_weights_come(fetch, hub):
    def check(config):
        raise BadInput(f"{config.name} is of another kind")

    with pytest.raises(BadInput, match=r"config.json is of another kind"):
        fetch(check=check)
    assert hub.paths() == []


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_model_that_is_not_whole_is_refused(fetch, hub, missing):
    del hub.files[missing], hub.files["pytorch_model.bin"]
    with pytest.raises(BadInput, match=r"has no config.json|has no weights in safetensors"):
        fetch()


@pytest.mark.parametrize(
    "listing",
    [b"<html>", b"{}", b"[1]", b"[{}]", b'[{"type":"file","path":"a","oid":"x","size":1}]', b"[" * 5000],
)
def test_a_listing_that_is_none_is_refused(fetch, hub, listing):
    hub.faults[f"/api/models/owner/tiny/tree/{COMMIT}"] = lambda handler: handler.send(200, listing) or True
    with pytest.raises(BadInput, match=r"listing is not one of a hub|no weights"):
        fetch()


@pytest.mark.parametrize("index", [b"[]", b"{", b'{"weight_map": {"a": "b.safetensors"}}', b"[" * 5000])
def test_an_index_that_names_what_is_not_there_is_refused(fetch, hub, index):
    hub.files["model.safetensors.index.json"] = index
    with pytest.raises(BadInput, match="does not fit its files"):
        fetch()


@pytest.mark.parametrize("name", ["../../evil.safetensors", "pytorch_model.bin", "config.json"])
def test_an_index_is_not_followed_to_other_folders_nor_to_pickles(fetch, hub, tmp_path, name):
    hub.files |= {"../../evil.safetensors": LARGE}
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": {"a": name}}).encode()
    with pytest.raises(BadInput, match="does not fit its files"):
        fetch()


def test_names_that_lead_elsewhere_are_never_written(fetch, hub, tmp_path):
    hub.listed = {"../../evil.json": b"x", "/etc/evil": b"x", "sub/config.json": b"x"}
    fetch()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_page_saved_as_a_model_is_refused(fetch, hub, tmp_path):
    hub.files["a.gguf"] = b"<html>please log in</html>"
    with pytest.raises(Corrupt, match="what came is not such a file"):
        fetch(f"http://127.0.0.1:{hub.store}/store/a.gguf", out=tmp_path / "a.gguf")
    assert list(tmp_path.iterdir()) == []


def test_the_hash_that_a_person_gives_is_held_to(fetch, hub, tmp_path):
    hub.files["a.gguf"] = b"GGUF" + LARGE
    address, out = f"http://127.0.0.1:{hub.store}/store/a.gguf", tmp_path / "a.gguf"
    with pytest.raises(Corrupt, match="SHA-256"):
        fetch(address, out=out, sha256="0" * 64)
    fetch(address, out=out, sha256=hashlib.sha256(b"GGUF" + LARGE).hexdigest().upper())
    assert out.exists()


def test_a_disk_that_is_too_small_is_said_before_the_weights_come(fetch, hub, monkeypatch):
    usage = type("Usage", (), {"free": pulling.SPARE + 1000})
    monkeypatch.setattr(pulling.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(Failure, match=r"0.00 GB are to come, 0.07 GB are free"):
        fetch()
    assert hub.paths() == []


# Who may have it


def test_a_model_that_needs_a_token_says_so_and_comes_with_one(fetch, hub):
    hub.token = TOKEN
    with pytest.raises(
        BadInput, match=r"is not for everyone, or not there; accept its terms .* set HF_TOKEN"
    ):
        fetch()
    fetch(token=TOKEN)


def test_the_token_goes_to_the_hub_alone_and_is_shown_nowhere(fetch, hub, tmp_path, capfd):
    hub.token = TOKEN
    hub.faults[STORED] = once(status(503))
    fetch(token=TOKEN)
    told = {
        server: {token for name, _, _, token in hub.asked if name == server} for server in ("hub", "store")
    }
    assert told == {"hub": {f"Bearer {TOKEN}"}, "store": {None}}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert TOKEN.encode() not in written
    assert TOKEN not in "".join(capfd.readouterr())


def test_a_token_with_a_line_break_is_refused_without_being_shown(fetch):
    with pytest.raises(BadInput, match="HF_TOKEN") as caught:
        fetch(token=f"{TOKEN}\nx")
    assert TOKEN not in str(caught.value)


def test_a_model_that_is_not_there_is_said_to_be(fetch):
    with pytest.raises(BadInput, match=r"owner/none: no such model, file or revision \(main\)"):
        fetch("owner/none")


def test_an_address_inside_is_refused_unless_it_is_allowed(fetch, hub):
    with pytest.raises(BadInput, match=r"127.0.0.1 is a private address; pass --allow-private"):
        fetch(allow_private=False)
    assert hub.asked == []


def test_a_redirect_goes_through_the_gate_as_well(fetch, hub, monkeypatch):
    from nextword.common import outbound

    hub.faults["/owner/tiny/resolve/main/config.json"] = status(302, Location="http://metadata.test/secret")
    resolve = outbound.socket.getaddrinfo
    seen = []

    def look_up(host, *rest, **options):
        seen.append(host)
        if host == "metadata.test":
            raise OSError("no such name")
        return resolve(host, *rest, **options)

    gate = outbound.Gate(True, resolve=look_up)
    monkeypatch.setattr(pulling, "Gate", lambda allow: gate)
    with pytest.raises(BadInput, match="does not resolve"):
        fetch(tries=1)
    assert "metadata.test" in seen


def test_a_redirect_to_a_file_of_this_machine_or_without_end_is_refused(fetch, hub):
    readme = f"/owner/tiny/resolve/{COMMIT}/README.md"  # by the commit of the first file
    hub.faults[readme] = status(302, Location="file:///etc/passwd")
    with pytest.raises(BadInput, match="redirected to an unsafe address"):
        fetch()
    hub.faults[readme] = status(302, Location="README.md")
    with pytest.raises(BadInput, match="redirected more than 5 times"):
        fetch()
