"""The real transformers beside us, in its own environment (`make peers`): logits, both directions."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_logits_agree_with_the_real_transformers_both_ways(need):
    python = need(".peers/transformers/bin/python")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        [python, ROOT / "tests/model/peer_check.py"], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr[-2000:]
    cases = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    assert len(cases) == 13
    for case in cases:
        assert case["spread"] > 1, case
        assert case["they_open_ours"] < 1e-4, case
        assert case["we_open_theirs"] < 1e-4, case
        assert case["same_config"], case
