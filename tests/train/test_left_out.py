"""What was left out is told by one function, whatever the stage."""

from __future__ import annotations

from collections import Counter

import pytest

from nextword.train.comparisons import Kept
from nextword.train.examples import Examples
from nextword.train.left_out import LeavesOut
from nextword.train.prompts import Prompts


@pytest.mark.parametrize("found", [Kept(), Examples([]), Prompts([], [], [])])
def test_reasons_are_told_by_how_often_they_held_and_alike_by_every_stage(found):
    assert type(found).told is LeavesOut.told
    assert found.told() == ""
    found.left_out.update(Counter({"too short": 1, "too long": 2_000}))
    assert found.told() == "left out: 2,000 too long, 1 too short"
