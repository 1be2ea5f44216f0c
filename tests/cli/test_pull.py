"""The verb, from a hub on loopback to the folder."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from nextword.cli import main
from tests.data.hub_site import Hub, serving


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as site:
        yield site


def test_the_verb_pulls_shows_the_licence_and_refuses_another_architecture(hub, tmp_path, capsys):
    arguments = ["pull", "owner/tiny", "--endpoint", hub.url, "--allow-private", "--out", str(tmp_path / "m")]
    assert main.run(arguments) == 2
    assert "config.json: has no hidden_size" in capsys.readouterr().err
    shape = {"architectures": ["LlamaForCausalLM"], "vocab_size": 9, "hidden_size": 8, "intermediate_size": 8}
    shape |= {"num_hidden_layers": 1, "num_attention_heads": 1}
    hub.files["config.json"] = json.dumps(shape).encode()
    assert main.run(arguments) == 0
    said = capsys.readouterr().out
    assert "licence: llama2, https://example.org/terms" in said and "at cccccccccccc" in said
    assert f"next: nextword generate {tmp_path / 'm'}" in said


def test_a_model_that_is_not_there_is_one_line(hub, tmp_path, capsys):
    arguments = ["pull", "owner/none", "--endpoint", hub.url, "--allow-private", "--out", str(tmp_path / "m")]
    assert main.run(arguments) == 2
    said = capsys.readouterr().err
    assert "no such model, file or revision (main); look at its page" in said and "Traceback" not in said
