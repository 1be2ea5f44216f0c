"""The real transformers beside our engine, in its own environment (`make peers`)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from nextword.model.checkpoint import save_checkpoint
from nextword.tokenizer.special import CHAT_TEMPLATE

ROOT = Path(__file__).resolve().parents[2]
LLAMA_3_LIKE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n\n"
    "{{ message['content'] | trim }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n\n{% endif %}"
)


@pytest.mark.slow
def test_greedy_text_and_chat_templates_agree_with_the_real_transformers(
    need, tiny_model, tiny_tokenizer_folder, tmp_path
):
    save_checkpoint(tiny_model, tmp_path / "model", tokenizer=tiny_tokenizer_folder)
    run = subprocess.run(
        [
            need(".peers/transformers/bin/python"),
            ROOT / "tests/engine/peer_check.py",
            tmp_path / "model",
            json.dumps([CHAT_TEMPLATE, LLAMA_3_LIKE]),
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
    )
    assert run.returncode == 0, run.stderr[-2000:]
    rows = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    assert [row["check"] for row in rows] == ["greedy"] * 5 + ["template"] * 4
    for row in rows:
        assert row["ours"] == row["theirs"], row
