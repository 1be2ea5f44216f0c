"""The C sampler against the file of cases that the Python sampler is held to."""

import ctypes
import json
from pathlib import Path

import numpy as np
import pytest

CASES = json.loads((Path(__file__).parents[1] / "engine" / "sampler_cases.json").read_text())


def choose(library, case):
    logits = np.array([-np.inf if value is None else value for value in case["logits"]], np.float32)
    seen = np.array(case.get("seen", []), np.int32)
    sampling = case["sampling"]
    return library.nw_choose(
        logits.ctypes.data_as(ctypes.c_void_p),
        len(logits),
        sampling["temperature"],
        sampling["top_k"],
        sampling["top_p"],
        sampling["min_p"],
        sampling["repeat_penalty"],
        seen.ctypes.data_as(ctypes.c_void_p),
        len(seen),
        case["coin"],
    )


def test_every_case_gives_its_token(library):
    assert len(CASES["draws"]) > 50
    wrong = [number for number, case in enumerate(CASES["draws"]) if choose(library, case) != case["token"]]
    assert wrong == []


def test_coins_are_the_same_to_the_last_bit(library):
    assert all(library.nw_coin(case["seed"], case["n"]) == case["coin"] for case in CASES["coins"])


@pytest.mark.parametrize("logits", [[np.nan, 1.0], [-np.inf, -np.inf], [np.inf, 0.0]])
def test_scores_that_are_not_numbers_are_refused(library, logits):
    sampling = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0}
    assert choose(library, {"logits": logits, "sampling": sampling, "coin": 0.5}) == -1
